# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""DNS questions to a server on loopback."""

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from .ports import HOST


class Resolver:
    """Asks HOST:port. A question is repeated only when nothing at all came back."""

    def __init__(self, port):
        self.port = port

    def query(
        self,
        name,
        rdtype="A",
        tcp=False,
        dnssec=False,
        flags=dns.flags.RD,
        payload=1232,
        timeout=5.0,
        tries=1,
    ):
        """One question, whose answer must come: one that is lost fails the test. More `tries`
        are for those that say why a question may be lost."""
        message = dns.message.make_query(
            name, rdtype, use_edns=0, want_dnssec=dnssec, payload=payload, flags=flags
        )
        ask = dns.query.tcp if tcp else dns.query.udp
        for left in reversed(range(tries)):
            try:
                return ask(message, HOST, port=self.port, timeout=timeout)
            except (dns.exception.Timeout, ConnectionError, EOFError):
                if not left:
                    raise

    def answers(self, name, rdtype="A", **options):
        """The records of the answer section of that type, as sorted text."""
        return records_of(self.query(name, rdtype, **options), rdtype)


def records_of(message, rdtype):
    wanted = dns.rdatatype.from_text(rdtype)
    return sorted(
        rdata.to_text() for rrset in message.answer if rrset.rdtype == wanted for rdata in rrset
    )


def rcode_of(message):
    return dns.rcode.to_text(message.rcode())


def flags_of(message):
    return set(dns.flags.to_text(message.flags).split())


def soa_of(message):
    """The SOA RRset of the authority section, or None."""
    for rrset in message.authority:
        if rrset.rdtype == dns.rdatatype.SOA:
            return rrset
    return None
