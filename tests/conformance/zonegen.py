# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Random zones full of corners: few labels, so that names meet; wildcards, empty
non-terminals, cuts with and without glue, DNAMEs, CNAME chains and loops.

Left out is what the standards leave open: NS at a wildcard (RFC 4592 section 4.2), DNAME
at a wildcard (section 4.4), and names below a DNAME (RFC 6672 section 2.4)."""

_LABELS = ["a", "b", "c", "*", "a", "b"]
_TYPES = ["A", "A", "AAAA", "TXT", "MX", "SRV", "CNAME", "CNAME", "NS", "DNAME"]
_QUERIES = ["A", "A", "AAAA", "TXT", "MX", "SRV", "CNAME", "NS", "DNAME", "SOA", "DS"]
_OUTSIDE = ["www.example.com.", "x.invalid-outside.org."]


class Zone:
    """`records` are (owner relative to the apex or "@", type, rdata); targets inside the
    zone are relative, so that the same content can be given to any apex."""

    def __init__(self, records):
        self.records = records

    def master(self, apex):
        lines = [f"$ORIGIN {apex}", f"@ 300 IN SOA ns.{apex} root.{apex} 3 3600 600 86400 60"]
        lines.append("@ 300 IN NS ns.outside.example.")
        lines += [f"{owner} 300 IN {rdtype} {rdata}" for owner, rdtype, rdata in self.records]
        return "\n".join(lines) + "\n"

    def without(self, index):
        return Zone(self.records[:index] + self.records[index + 1 :])

    def __str__(self):
        return self.master("zone.test.")


def _name(random, most=3):
    return ".".join(random.choice(_LABELS) for _ in range(random.randint(1, most)))


def _target(random):
    return random.choice(_OUTSIDE) if random.random() < 0.15 else _name(random)


def _rdata(random, rdtype):
    if rdtype == "A":
        return f"10.0.0.{random.randint(1, 250)}"
    if rdtype == "AAAA":
        return f"fd00::{random.randint(1, 250):x}"
    if rdtype == "TXT":
        return f'"t{random.randint(1, 9)}"'
    if rdtype == "MX":
        return f"{random.randint(1, 20)} {_target(random)}"
    if rdtype == "SRV":
        return f"0 {random.randint(1, 20)} 80 {_target(random)}"
    return _target(random)


def _is_below(name, ancestor):
    return name.endswith("." + ancestor)


def _fits(records, owner, rdtype):
    here = [other for name, other, _ in records if name == owner]
    if "CNAME" in here or (rdtype == "CNAME" and here):
        return False
    if rdtype in ("NS", "DNAME") and owner.split(".")[0] == "*":
        return False
    if rdtype == "DNAME" and (
        "DNAME" in here
        or "NS" in here
        or any(_is_below(name, owner) for name, _, _ in records)
    ):
        return False
    if rdtype == "NS" and "DNAME" in here:
        return False
    return not any(
        other == "DNAME" and _is_below(owner, name) for name, other, _ in records
    )


def make_zone(random):
    records = []
    for _ in range(random.randint(2, 14)):
        owner, rdtype = _name(random), random.choice(_TYPES)
        if _fits(records, owner, rdtype):
            records.append((owner, rdtype, _rdata(random, rdtype)))
    return Zone(records)


def make_query(random, zone, apex):
    """A name that is there, near what is there, or anywhere; and a type."""
    if zone.records and random.random() < 0.7:
        owner = random.choice(zone.records)[0]
        for _ in range(random.choice([0, 0, 1, 1, 2])):
            owner = f"{random.choice(_LABELS + ['x'])}.{owner}"
        if random.random() < 0.2:
            owner = owner.partition(".")[2]
    else:
        owner = _name(random, 4)
    return f"{owner}.{apex}" if owner else apex, random.choice(_QUERIES)
