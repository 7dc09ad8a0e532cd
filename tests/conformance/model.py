# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""What a zone answers, found slowly and plainly: the zone is a dict, every step looks at
all of it. RFC 1034 section 4.3.2 with RFC 4592 and RFC 6672; the step in the comments."""

import dns.name

_CHAIN_MAX = 8  # as livezone; other servers have their own
_STAR = dns.name.Name([b"*"])


class Model:
    """`records`: (owner, type, rdata) as absolute dns.name.Name, text, text."""

    def __init__(self, apex, records):
        self.apex = apex
        self.nodes = {apex: {"SOA": [], "NS": []}}
        for owner, rdtype, rdata in records:
            self.nodes.setdefault(owner, {}).setdefault(rdtype, []).append(rdata)

    def exists(self, name):
        """RFC 4592 section 2.2.2: or something below it does."""
        return any(owner.is_subdomain(name) for owner in self.nodes)

    def path(self, name):
        """From the apex to the name."""
        depth = len(name.labels) - len(self.apex.labels)
        return [dns.name.Name(name.labels[depth - n :]) for n in range(depth + 1)]

    def ask(self, name, rdtype):
        """(rcode, records of the answer section, whether a SOA or NS is in authority)"""
        answer, aliases = [], set()
        while True:
            if not name.is_subdomain(self.apex):
                return "NOERROR", answer, None  # 3a, for another server
            kind, target = self._step(name, rdtype, answer)
            if kind != "follow":
                rcode, authority = kind
                return rcode, answer, authority
            aliases.add(name)
            if target in aliases or len(aliases) > _CHAIN_MAX:
                return "NOERROR", answer, None
            name = target

    def _step(self, name, rdtype, answer):
        for above in self.path(name):
            node = self.nodes.get(above, {})
            is_own = above == name
            # 3b: a cut, of which only DS is the parent's (RFC 4035 section 3.1.4.1)
            if above != self.apex and "NS" in node and not (is_own and rdtype == "DS"):
                return ("NOERROR", "NS"), None
            # RFC 6672 section 3.2: of names below, not of its own
            if "DNAME" in node and not is_own:
                return self._redirect(name, above, node["DNAME"][0], rdtype, answer)
        if self.exists(name):
            return self._from(self.nodes.get(name, {}), name, rdtype, answer)  # 3a
        encloser = [above for above in self.path(name) if self.exists(above)][-1]
        source = _STAR + encloser  # 3c, RFC 4592 section 3.3.1
        if self.exists(source):
            return self._from(self.nodes.get(source, {}), name, rdtype, answer)
        return ("NXDOMAIN", "SOA"), None

    def _from(self, node, name, rdtype, answer):
        if rdtype in node:
            answer += [(name, rdtype, rdata) for rdata in node[rdtype]]
            return ("NOERROR", None), None
        if "CNAME" in node:
            answer.append((name, "CNAME", node["CNAME"][0]))
            return "follow", dns.name.from_text(node["CNAME"][0])
        return ("NOERROR", "SOA"), None

    def _redirect(self, name, above, text, rdtype, answer):
        answer.append((above, "DNAME", text))
        try:
            target = name.relativize(above) + dns.name.from_text(text)
        except dns.name.NameTooLong:
            return ("YXDOMAIN", None), None
        answer.append((name, "CNAME", target.to_text()))
        if rdtype == "CNAME":
            return ("NOERROR", None), None
        return "follow", target
