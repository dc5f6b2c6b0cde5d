"""The page of ``pathsim app``: choose, look, copy the command.

In: what is chosen in a browser. Out: the figures, tables and notes of the verb that the choices spell. The page has no
science and no rules of its own: it writes a command, has it run in this process by the function that the command line
hands to :func:`pathsim.app.page.serve`, and shows what that command makes.

- what can be chosen, and how lanes are written as treatment text: ``choices.py``
- the command of each view: ``commands.py``; the same in Python: ``python_text.py``; a view more is a row of ``VIEWS``
- what a command made: ``outcome.py``; the page to keep: ``report.py``
- the widgets, which need the extra ``[app]``: ``page.py``
"""
