# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""What /v1/explain says, as the DNS message that it says."""

import dns.flags
import dns.message


def message(api, name, rdtype):
    """None where the query is the next module's."""
    reply = api.get("/v1/explain", name=name, type=rdtype).json
    told = reply.get("message")
    if told is None:
        return None
    lines = ["id 0", "opcode QUERY", f"rcode {told['rcode']}", f"flags {' '.join(told['flags'])}"]
    lines += [";QUESTION", f"{reply['name']} IN {reply['type']}"]
    for section in ("answer", "authority", "additional"):
        lines.append(f";{section.upper()}")
        for rrset in told[section]:
            head = f"{rrset['name']} {rrset['ttl']} IN {rrset['type']}"
            lines += [f"{head} {record}" for record in rrset["records"]]
    return dns.message.from_text("\n".join(lines) + "\n")


def facts(found):
    """What must be equal in two messages that agree."""
    sections = [
        frozenset((rrset.name, rrset.ttl, rrset.rdtype, frozenset(rrset)) for rrset in section)
        for section in (found.answer, found.authority)
    ]
    return (found.rcode(), bool(found.flags & dns.flags.AA), *sections)
