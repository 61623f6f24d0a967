#!/usr/bin/env python3
"""Holds JSON documents to a schema: json_schema.py SCHEMA DOCUMENT...

Prints what does not fit, one line each, and ends with 1 then. References to other files are
taken beside the schema; nothing is fetched.
"""
import json
import pathlib
import sys

from jsonschema import Draft202012Validator


def validator(path):
    schema = json.loads(path.read_text())
    Draft202012Validator.check_schema(schema)
    folder = path.resolve().parent
    documents = {other.name: json.loads(other.read_text()) for other in folder.glob("*.json")}
    try:
        from referencing import Registry, Resource
        from referencing.jsonschema import DRAFT202012
    except ImportError:  # jsonschema before 4.18, as in Debian 12
        from jsonschema import RefResolver

        base = folder.as_uri() + "/"
        store = {base + name: document for name, document in documents.items()}
        return Draft202012Validator(schema, resolver=RefResolver(base, schema, store=store))
    registry = Registry().with_resources(
        (name, Resource(document, DRAFT202012)) for name, document in documents.items())
    return Draft202012Validator(schema, registry=registry)


def main(schema, *documents):
    judge = validator(pathlib.Path(schema))
    wrong = 0
    for name in documents:
        for error in judge.iter_errors(json.loads(pathlib.Path(name).read_text())):
            wrong += 1
            print(f"{name}: {error.json_path}: {error.message}")
            for deeper in error.context or ():
                print(f"  {deeper.json_path}: {deeper.message}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
