"""The long run: `python -m tests.reference --cases 1000000 --office 0.05`; ends with the first case that disagrees."""

import argparse
import time
from random import Random

from tests.reference.agreement import disagreement
from tests.reference.draw import draw

BATCH = 25
BATCH_OF_OFFICE = 4  # seconds are stepped through: hours make the reference ten times slower


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--office", type=float, default=0.05, help="share of the cases on calendars with hours")
    parser.add_argument("--seed", type=int, default=1, help="of the first batch")
    told = parser.parse_args()
    began, done, of_office, seed = time.monotonic(), 0, 0, told.seed
    while done < told.cases:
        office = of_office < told.office * (done + 1)
        cases = BATCH_OF_OFFICE if office else BATCH
        found = disagreement(draw(Random(seed), cases=cases, office=office))
        if found is not None:
            raise SystemExit(f"seed {seed}, cases {cases}, office {office}:\n{found}")
        done, of_office, seed = done + cases, of_office + (cases if office else 0), seed + 1
        if seed % 1_000 == 0:
            print(
                f"{done:,} cases agree, {of_office:,} of them on hours, {time.monotonic() - began:,.0f} s", flush=True
            )
    print(f"all {done:,} cases agree, {of_office:,} of them on hours, {time.monotonic() - began:,.0f} s")


if __name__ == "__main__":
    main()
