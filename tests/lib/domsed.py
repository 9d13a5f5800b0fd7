# SPDX-License-Identifier: Apache-2.0
"""A stand-in of domsed: what a Mutation makes of a pod, one rule after the other.

Only what manifests/ uses, and an error for all else. Where its public description leaves a choice, both are
tried: `inits` says whether rules for "all containers" reach init containers too.
"""
from __future__ import annotations

import copy
import re

LABEL = "[A-Za-z0-9./_-]+"


def selects(selector: str, labels: dict) -> bool:
    if found := re.fullmatch(rf"({LABEL}) (in|notin) \(([^()]+)\)", selector):
        within = labels.get(found[1]) in [value.strip() for value in found[3].split(",")]
        return within if found[2] == "in" else not within
    if found := re.fullmatch(rf"({LABEL})==({LABEL})", selector):
        return labels.get(found[1]) == found[2]
    raise ValueError(f"a selector that the stand-in does not know: {selector}")


def template(value: str, pod: dict) -> str:
    """{{ object['a']['b'] }}"""
    def look_up(found: re.Match) -> str:
        here = pod
        for key in re.findall(r"\['([^']+)'\]", found[1]):
            here = here[key]
        return here
    return re.sub(r"\{\{\s*object((?:\['[^']+'\])+)\s*\}\}", look_up, value)


def containers(pod: dict, selector, inits: bool) -> list:
    spec = pod["spec"]
    every = spec["containers"] + (spec.get("initContainers", []) if inits or selector else [])
    return [c for c in every if not selector or c["name"] in selector]


def put(items: list, new: dict) -> None:
    """By name, as environments are."""
    for item in items:
        if item["name"] == new["name"]:
            item.clear()
            item.update(new)
            return
    items.append(dict(new))


class Domsed:
    def __init__(self, inits: bool = False) -> None:
        self.inits = inits

    def mutate(self, mutations: list, pod: dict) -> dict:
        pod = copy.deepcopy(pod)
        for mutation in mutations:
            for rule in copy.deepcopy(mutation["rules"]):
                selectors = rule.pop("labelSelectors")
                rule.pop("matchBuilds", None)
                if all(selects(s, pod["metadata"]["labels"]) for s in selectors):
                    for action, value in rule.items():
                        getattr(self, action)(pod, value)
        return pod

    def modifyLabel(self, pod, pair) -> None:
        pod["metadata"]["labels"][pair["key"]] = pair["value"]

    def modifyAnnotation(self, pod, pair) -> None:
        pod["metadata"].setdefault("annotations", {})[pair["key"]] = pair["value"]

    def insertVolumes(self, pod, volumes) -> None:
        pod["spec"].setdefault("volumes", []).extend(volumes)

    def modifySecurityContext(self, pod, change) -> None:
        assert set(change) == {"context"}
        pod["spec"].setdefault("securityContext", {}).update(change["context"])

    def insertContainer(self, pod, new) -> None:
        where = {"init": "initContainers", "app": "containers"}[new["containerType"]]
        pod["spec"].setdefault(where, []).append(new["spec"])

    def insertVolumeMounts(self, pod, change) -> None:
        for container in containers(pod, change.get("containerSelector"), self.inits):
            container.setdefault("volumeMounts", []).extend(copy.deepcopy(change["volumeMounts"]))

    def modifyEnv(self, pod, change) -> None:
        for container in containers(pod, change.get("containerSelector"), self.inits):
            for new in change["env"]:
                value = {**new, "value": template(new["value"], pod)} if "value" in new else new
                put(container.setdefault("env", []), value)

    def cloudWorkloadIdentity(self, pod, rule) -> None:
        user = pod["metadata"]["labels"]["dominodatalab.com/starting-user-username"]
        account = rule["user_mappings"].get(user) or (user if rule["assume_sa_mapping"] else rule["default_sa"])
        if account:
            pod["spec"]["serviceAccountName"] = account
