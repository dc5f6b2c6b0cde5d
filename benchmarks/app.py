"""How long the page takes from a change in the browser to the new picture: 20 changes of each quick view.

    python benchmarks/app.py [--changes 20] [--cores 2]

Headless Chromium presses an arrow key on the slider of a drug (of the partner, for the matrix); the clock runs inside
the browser, from the event to the frame after the new image has loaded. Needs the extra [app], playwright and Chromium.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "app"))

import browser

WATCH = """
after => new Promise(resolve => {
  const deep = root => {
    for (const one of root.querySelectorAll("*")) {
      const newer = one.matches("img[data-number]") && Number(one.dataset.number) > after;
      if (newer && one.offsetParent !== null) return one;
      if (one.shadowRoot) { const found = deep(one.shadowRoot); if (found) return found }
    }
    return null;
  };
  window.changed = null;
  addEventListener("keydown", () => { window.changed = performance.now() }, {capture: true, once: true});
  const look = () => {
    const found = window.changed === null ? null : deep(document);
    if (found && found.complete) requestAnimationFrame(() => resolve((performance.now() - window.changed) / 1000));
    else requestAnimationFrame(look);
  };
  look();
})
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--cores", type=int, default=2, help="run the page and the browser on so many")
    asked = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: asked.cores])
    print(f"{asked.changes} changes each on {asked.cores} cores; load {os.getloadavg()[0]:.1f}")
    with browser.served() as url, browser.opened(url) as page:
        for title in ("Blot", "Time course", "Dose response", "Combination"):
            page.get_by_text(title, exact=True).first.click()
            page.wait_for_selector(f'img[alt="{title}"]')
            if (
                title == "Dose response"
            ):  # its doses are a text; the readout is changed instead, with the keys of a list
                handle = page.get_by_label("Readout").locator("visible=true").first
            elif title == "Combination":
                handle = page.locator(".partner .noUi-handle").first
            else:
                handle = page.locator(".dose .noUi-handle").first
            taken = []
            for change in range(asked.changes):
                before = browser.number(page)
                handle.focus()
                page.evaluate(
                    f"({WATCH.strip()})({before}).then(taken => {{ window.taken = taken }}); window.taken = null"
                )
                key = ("ArrowDown", "ArrowUp") if title == "Dose response" else ("ArrowRight", "ArrowLeft")
                handle.press(key[change % 2])
                taken.append(page.wait_for_function("window.taken", timeout=60_000).json_value())
            ordered = sorted(taken)
            print(
                f"{title:14s} median {statistics.median(taken):.2f} s, "
                f"{ordered[0]:.2f} to {ordered[-1]:.2f}, {sum(one < 1 for one in taken)} of {len(taken)} under 1 s"
            )


if __name__ == "__main__":
    main()
