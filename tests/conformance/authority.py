# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Answers of authorities in a form that compares: rcode, AA and sections as sets of
records, names without case, TTLs included."""

import dns.flags
import dns.rcode
import dns.rdatatype


def _records(section):
    found = set()
    for rrset in section:
        owner = rrset.name.to_text().lower()
        rdtype = dns.rdatatype.to_text(rrset.rdtype)
        for rdata in rrset:
            found.add(f"{owner} {rrset.ttl} in {rdtype} {rdata.to_text()}".lower())
    return frozenset(found)


class Answer:
    def __init__(self, message):
        self.rcode = dns.rcode.to_text(message.rcode())
        self.aa = bool(message.flags & dns.flags.AA)
        self.answer = _records(message.answer)
        self.authority = _records(message.authority)

    @property
    def negative(self):
        """The SOA of a negative answer, part of what it says (RFC 2308)."""
        return frozenset(record for record in self.authority if " in soa " in record)

    def key(self):
        """What must be equal between servers that agree."""
        return (self.rcode, self.aa, self.answer, self.negative)

    def __str__(self):
        lines = [f"{self.rcode}{' aa' if self.aa else ''}"]
        lines += [f"  answer    {record}" for record in sorted(self.answer)]
        lines += [f"  authority {record}" for record in sorted(self.authority)]
        return "\n".join(lines)
