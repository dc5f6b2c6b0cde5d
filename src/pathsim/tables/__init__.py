"""Measured tables of a lab, as its instruments and spreadsheets save them, made the tables that pathsim works with.

What comes in: a file (CSV with any separator and encoding, Excel, Parquet) in one of the layouts below. What goes out:
a DataFrame with our column names, numbers in our units, the line of each row as its index, and a sentence (to
``tell``) on everything that had to be decided. A cell that says that nothing was measured leaves its row out, with a
word; a cell that could be read in two ways is refused with its row and column.

- a file as text cells: ``sheet.py``; numbers, missing ones, decimal commas: ``cells.py``; names and units of columns,
  the map ``theirs=ours``: ``headings.py``
- western blots, one band a row or one antibody a column, and ImageJ's results: ``blots.py``
- dose responses, one well a row, one curve a column, or the counts of the GR tools: ``curves.py``
- dose matrices of two drugs, as tables or as matrices: ``matrices.py``
"""

from .blots import read_bands
from .headings import read_map
from .sheet import Tell, read_sheet, read_sheets

__all__ = ["Tell", "read_bands", "read_map", "read_sheet", "read_sheets"]
