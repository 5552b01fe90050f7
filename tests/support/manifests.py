"""Reads the YAML of a manifest, and checks it by what Kubernetes knows.

No package here reads YAML: this reads the part of it that the manifest needs, and refuses the rest.
"""

import json
import re

# Of the fields of the API (Kubernetes 1.33), those that a manifest here may have: a type, a set of
# values, [the items of a list] or {the fields of an object}; "!" behind those that must be there.
_META = {"name!": str, "labels": {None: str}}
_CONTAINER = {
    "name!": str,
    "image!": str,
    "command": [str],
    "args": [str],
    "env": [{"name!": str, "value": str}],
    "ports": [{"containerPort!": int, "name": str, "protocol": {"TCP", "UDP", "SCTP"}}],
    "resources": {"requests": {None: str}, "limits": {None: str}},
    "volumeMounts": [{"name!": str, "mountPath!": str, "readOnly": bool}],
}
_POD = {
    "subdomain": str,
    "restartPolicy!": {"OnFailure", "Never"},  # a Job's, of which Always is none
    "containers!": [_CONTAINER],
    "volumes": [
        {"name!": str, "persistentVolumeClaim!": {"claimName!": str, "readOnly": bool}},
    ],
}
SCHEMAS = {
    ("v1", "Service"): {
        "apiVersion!": str,
        "kind!": str,
        "metadata!": _META,
        "spec!": {
            "clusterIP": str,
            "publishNotReadyAddresses": bool,
            "selector": {None: str},
            "ports": [{"name": str, "port!": int, "protocol": {"TCP", "UDP", "SCTP"}}],
        },
    },
    ("batch/v1", "Job"): {
        "apiVersion!": str,
        "kind!": str,
        "metadata!": _META,
        "spec!": {
            "completionMode": {"Indexed", "NonIndexed"},
            "completions": int,
            "parallelism": int,
            "backoffLimit": int,
            "template!": {"metadata": {"labels": {None: str}}, "spec!": _POD},
        },
    },
}


def faults(value, schema, where=""):
    """What of a value is not as a schema says."""
    if isinstance(schema, type):
        fits = isinstance(value, schema) and (schema is bool or not isinstance(value, bool))
        return [] if fits else [f"{where}: expected {schema.__name__}: {value!r}"]
    if isinstance(schema, set):
        return [] if value in schema else [f"{where}: expected one of {sorted(schema)}: {value!r}"]
    if isinstance(schema, list):
        if not isinstance(value, list):
            return [f"{where}: expected a list: {value!r}"]
        return [f for i, one in enumerate(value) for f in faults(one, schema[0], f"{where}[{i}]")]
    if not isinstance(value, dict):
        return [f"{where}: expected an object: {value!r}"]
    fields = {str(name).removesuffix("!"): kind for name, kind in schema.items() if name}
    found = [
        f"{where}.{name[:-1]}: missing"
        for name in schema
        if name and name.endswith("!") and name[:-1] not in value
    ]
    for name, one in value.items():
        kind = fields.get(name, schema.get(None))
        found += [f"{where}.{name}: unknown"] if kind is None else []
        found += [] if kind is None else faults(one, kind, f"{where}.{name}")
    return found


def documents(text):
    """The documents of a YAML file: block mappings and lists, strings, `|`, and lists of JSON."""
    for part in re.split(r"^---$", text, flags=re.MULTILINE):
        lines = [
            (len(line) - len(line.lstrip()), line.strip())
            for line in part.splitlines()
            if line.strip() and not line.lstrip().startswith("#")
        ]
        value, rest = _block(lines)
        assert not rest, rest
        yield value


def _block(lines):
    """The value that begins with the first line, and the lines behind it."""
    indent, is_list = lines[0][0], lines[0][1].startswith("- ")
    found = [] if is_list else {}
    while lines and lines[0][0] == indent and lines[0][1].startswith("- ") == is_list:
        if is_list:
            first = lines[0][1][2:]
            if re.match(r"[\w-]+:( |$)", first):  # a mapping, whose first field stands here
                value, lines = _block([(indent + 2, first), *lines[1:]])
            else:
                value, lines = _scalar(first, indent, lines[1:])
            found.append(value)
            continue
        name, _, text = lines[0][1].partition(":")
        if text.strip():
            value, lines = _scalar(text.strip(), indent, lines[1:])
        else:
            value, lines = _block(lines[1:])
        assert name not in found
        found[name] = value
    assert not lines or lines[0][0] < indent, lines[0]
    return found, lines


def _scalar(text, indent, lines):
    if text == "|":
        inner = []
        while lines and lines[0][0] > indent:
            inner.append(lines.pop(0)[1])
        return "\n".join(inner), lines
    if re.fullmatch(r'".*"|\[.*\]|-?\d+|true|false', text):
        return json.loads(text), lines
    assert not re.match(r"[&*!%@`'{>]", text), text
    return text, lines
