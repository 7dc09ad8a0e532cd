# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""doc/openapi.yaml as a judge of real replies."""

import copy
import json

import jsonschema
import yaml

from .build import SOURCE

FILE = SOURCE / "doc" / "openapi.yaml"
METHODS = ("get", "put", "post", "delete")


def load():
    return yaml.safe_load(FILE.read_text())


def walk(node, path=""):
    """Every (path, dict) below a node."""
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            yield from walk(value, f"{path}/{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from walk(value, f"{path}/{index}")


def is_object_schema(node):
    return node.get("type") == "object" and isinstance(node.get("properties"), dict)


class Description:
    """The document, with objects closed: a key that it does not name is a fault of the
    server here, although clients have to skip it."""

    def __init__(self):
        self.document = copy.deepcopy(load())
        for _, node in walk(self.document):
            if is_object_schema(node):
                node.setdefault("additionalProperties", False)
        self._resolver = jsonschema.RefResolver("", self.document)

    def resolve(self, node):
        while "$ref" in node:
            node = self._resolver.resolve(node["$ref"])[1]
        return node

    def validate(self, schema, value):
        jsonschema.Draft202012Validator(schema, resolver=self._resolver).validate(value)

    def operations(self):
        """(operationId, method, path template, operation) of all."""
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    yield item[method]["operationId"], method.upper(), path, item[method]

    def operation(self, name):
        return next(found for found in self.operations() if found[0] == name)

    def check(self, name, reply):
        """Fails when the operation does not document a reply like this one."""
        _, _, _, operation = self.operation(name)
        responses = operation["responses"]
        response = responses.get(str(reply.status)) or responses.get("default")
        assert response and (reply.status >= 400 or str(reply.status) in responses), (name, reply)
        response = self.resolve(response)
        kind = reply.headers.get("Content-Type", "").split(";")[0]
        assert kind in response["content"], (name, kind, reply)
        for header, described in response.get("headers", {}).items():
            described = self.resolve(described)
            if described.get("required") or header in reply.headers:
                assert header in reply.headers, (name, header, reply)
                self.validate(described["schema"], reply.headers[header])
        content = response["content"][kind]
        if "x-livezone-lines" in content:
            self._check_lines(content["x-livezone-lines"], reply.text)
        elif kind.endswith("json"):
            self.validate(content["schema"], reply.json)
        if reply.status >= 400 and kind == "application/problem+json":
            assert reply.json["status"] == reply.status

    def _check_lines(self, kinds, text):
        assert text.endswith("\n")
        lines = [json.loads(line) for line in text.splitlines()]
        self.validate(kinds["first"], lines[0])
        self.validate(kinds["last"], lines[-1])
        for line in lines[1:-1]:
            self.validate(kinds["each"], line)
        assert lines[-1]["count"] == len(lines) - 2
