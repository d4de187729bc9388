"""Reads metrics from standard input with Prometheus's own parser, writes what it understood.

usage: parse.py openmetrics|text
"""

import json
import sys

from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

PARSERS = {"openmetrics": parse_openmetrics, "text": parse_text}


def understood(family):
    samples = [
        {"name": sample.name, "labels": sample.labels, "value": sample.value}
        for sample in family.samples
    ]
    return {
        "name": family.name,
        "type": family.type,
        "unit": family.unit,
        "help": family.documentation,
        "samples": samples,
    }


text = sys.stdin.buffer.read().decode("utf-8")
families = PARSERS[sys.argv[1]](text)
json.dump([understood(family) for family in families], sys.stdout)
