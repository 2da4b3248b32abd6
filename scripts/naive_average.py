"""The baseline of `make bench`: what a first script with pandas would do, the plain average and nothing else.

usage: naive_average.py FOLDER (with models/ and rankings-daily/), prints the number of averages
"""

import gzip
import json
import sys
from pathlib import Path

import pandas as pd

COMPANIES = {"openai", "google", "anthropic", "deepseek", "qwen", "moonshotai"}


def read(path: Path) -> dict:
    with gzip.open(path) as file:
        return json.load(file)


def main(folder: str) -> None:
    posted = pd.concat(
        pd.DataFrame(
            {
                "date": path.name[:10],
                "slug": [row.get("canonical_slug", row["id"]) for row in found],
                "price": [float(row["pricing"]["completion"]) for row in found],
            }
        )
        for path in sorted(Path(folder, "models").glob("*.json.gz"))
        for found in [[row for row in read(path)["data"] if ":" not in row["id"] and row["id"][0] != "~"]]
    )
    prices = posted[posted.price > 0].groupby(["date", "slug"], as_index=False).price.mean()
    volumes = pd.concat(
        pd.DataFrame(read(path)["data"]) for path in sorted(Path(folder, "rankings-daily").glob("*.json.gz"))
    ).drop_duplicates(["date", "model_permaslug"], keep="last")
    volumes["tokens"] = volumes.total_tokens.astype("int64")
    volumes["company"] = volumes.model_permaslug.str.split("/").str[0]
    traded = volumes[volumes.company.isin(COMPANIES)]
    joined = traded.merge(prices, left_on=["date", "model_permaslug"], right_on=["date", "slug"])
    joined["spent"] = joined.tokens * joined.price * 1e6
    sums = joined.groupby(["date", "company"])[["spent", "tokens"]].sum()
    print(len(sums.spent / sums.tokens))


if __name__ == "__main__":
    main(sys.argv[1])
