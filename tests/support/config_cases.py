#!/usr/bin/env python3
"""config_cases.py SCHEMA: a test file that holds a plugin to the schema of its configuration.

Each key gets values around every bound that the schema names, and values of other types; the
schema says which of them the plugin must take and which it must refuse.
"""
import json
import pathlib
import sys

from jsonschema import Draft202012Validator

OTHER_TYPES = [None, True, 7, 1.5, "text", [], {}]
TEXTS = ["", "a", "/a", "a b", "/a b", "x-h", "a\nb", "/a\nb", "a\tb", "/\u007f", "a\u00e9", ":a"]


def values(schema):
    """Values of the schema's own type, good and bad."""
    if "enum" in schema:
        return schema["enum"] + ["INFO", ""]
    kind = schema["type"]
    if kind == "integer":
        low, high = schema["minimum"], schema["maximum"]
        return [low, high, low - 1, high + 1, -1, 2**32 + low, str(low)]
    if kind == "boolean":
        return [False, 0, "true"]
    if kind == "array":
        return [[], *([item] for item in values(schema["items"])), [None], [[]]]
    if kind == "object":
        inner = [{"a": value} for value in values(schema["additionalProperties"])]
        return [{}, *inner, *({name: "v"} for name in TEXTS), {"a": None}, {"a": 1}]
    return TEXTS


def least(schema):
    """A value that the schema takes."""
    judge = Draft202012Validator(schema)
    return next(value for value in values(schema) if judge.is_valid(value))


def main(path):
    schema = json.loads(pathlib.Path(path).read_text())
    Draft202012Validator.check_schema(schema)
    judge = Draft202012Validator(schema)
    required = {key: least(schema["properties"][key]) for key in schema.get("required", [])}
    configs = [required, {**required, "no_such_key": 1}]
    configs += [{k: v for k, v in required.items() if k != missing} for missing in required]
    for key, rule in schema["properties"].items():
        assert "default" not in rule or Draft202012Validator(rule).is_valid(rule["default"]), key
        configs += [{**required, key: value} for value in values(rule) + OTHER_TYPES]
        configs.append({**required, key.upper(): least(rule)})
    texts = {json.dumps(config, sort_keys=True): judge.is_valid(config) for config in configs}

    def case(name, good, expect):
        rows = [{"text": text} for text, valid in texts.items() if valid == good]
        return {"name": name + ": {text}", "matrix": rows, "config": "{text}", "expect": expect}

    refused = {"outcome": "config_rejected",
               "logs": [{"level": "error", "contains": "configuration refused"}]}
    print(json.dumps({
        "wasmplug": 1,
        "plugin": {"wasm": "build/plugin.wasm", "name": "my-plugin"},
        "tests": [case("taken", True, {"outcome": "ok"}), case("refused", False, refused)],
    }))


main(sys.argv[1])
