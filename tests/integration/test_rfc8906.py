# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""RFC 8906: the questions with which operators find servers that fail to communicate, as
the very dig commands of its section 8, asked of a live zone."""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from support.ports import HOST

_PLAIN = "+noedns +noad +norec"
_EDNS = "+nocookie +edns=0 +noad +norec"
_EDNS1 = "+nocookie +edns=1 +noednsneg +noad +norec"

# What the RFC expects of groups of answers. It expects "not rd" too where RD=0 was asked;
# that cannot be: with allow_setrd, without which Unbound refuses such questions, Unbound
# sets the bit in the question and copies it from there.
_SOA = ["NOERROR", "soa", "aa", "not ad", "not mbz"]
_EDNS_SOA = [*_SOA, "opt", "version 0"]
_BADVERS = ["BADVERS", "not soa", "not aa", "not ad", "not mbz", "opt", "version 0"]

# Section, what follows "dig", and what is expected of the answer. $zone is live.test.
_TESTS = [
    ("8.1.1 the zone", f"{_PLAIN} soa live.test", [*_SOA, "not opt"]),
    (
        "8.1.2 unknown types",
        f"{_PLAIN} type1000 live.test",
        ["NOERROR", "no answer", "aa", "not ad", "not opt"],
    ),
    ("8.1.3.1 CD=1", f"{_PLAIN} +cd soa live.test", [*_SOA, "not opt"]),
    ("8.1.3.2 AD=1", "+noedns +norec +ad soa live.test", [*_SOA, "not opt"]),
    ("8.1.3.3 reserved bit", f"{_PLAIN} +zflag soa live.test", [*_SOA, "not opt"]),
    (
        "8.1.3.4 RD=1",
        "+noedns +noad +rec soa live.test",
        ["NOERROR", "soa", "aa", "rd", "not ad", "not opt"],
    ),
    (
        "8.1.4 unknown opcodes",
        "+noedns +noad +opcode=15 +norec +header-only",
        ["NOTIMP", "opcode 15", "empty", "not aa", "not ad", "not opt"],
    ),
    ("8.1.5 TCP", f"{_PLAIN} +tcp soa live.test", [*_SOA, "not opt"]),
    ("8.2.1 minimal EDNS", f"{_EDNS} soa live.test", _EDNS_SOA),
    ("8.2.2 version negotiation", f"{_EDNS1} soa live.test", _BADVERS),
    (
        "8.2.3 unknown options",
        f"{_EDNS} +ednsopt=100 soa live.test",
        [*_EDNS_SOA, "not option 100"],
    ),
    ("8.2.4 unknown flags", f"{_EDNS} +ednsflags=0x40 soa live.test", _EDNS_SOA),
    (
        "8.2.5 version negotiation with unknown flags",
        f"{_EDNS1} +ednsflags=0x40 soa live.test",
        _BADVERS,
    ),
    (
        "8.2.6 version negotiation with unknown options",
        f"{_EDNS1} +ednsopt=100 soa live.test",
        [*_BADVERS, "not option 100"],
    ),
    (
        "8.2.7 truncated responses",
        "+norec +dnssec +bufsize=512 +ignore dnskey live.test",
        ["NOERROR", "opt", "version 0"],
    ),
    # the RFC wants DO=1 when there is an RRSIG; our zones are not signed
    ("8.2.8 DO=1", f"{_EDNS} +dnssec soa live.test", [*_EDNS_SOA, "not rrsig"]),
    ("8.2.9 version negotiation with DO=1", f"{_EDNS1} +dnssec soa live.test", _BADVERS),
    (
        "8.2.10 several defined options",
        "+edns=0 +noad +norec +cookie +nsid +expire +subnet=0.0.0.0/0 soa live.test",
        _EDNS_SOA,
    ),
]


def _facts(output):
    """What dig says of an answer, in the words of the table."""
    header = re.search(r"opcode: (\S+), status: (\S+),", output)
    flags = re.search(r"^;; flags:([^;]*);", output, re.M)
    counts = re.search(r"QUERY: \d+, ANSWER: (\d+), AUTHORITY: (\d+), ADDITIONAL: (\d+)", output)
    assert header and flags and counts, output
    answer, authority, additional = map(int, counts.groups())
    facts = {header.group(2), *flags.group(1).split()}
    facts.add("opcode " + header.group(1).replace("RESERVED", ""))
    if not answer:
        facts.add("no answer")
        if not authority and not additional:
            facts.add("empty")
    if re.search(r"^live\.test\.\s+\d+\s+IN\s+SOA\s", output, re.M):
        facts.add("soa")
    if edns := re.search(r"EDNS: version: (\d+)", output):
        facts |= {"opt", f"version {edns.group(1)}"}
    if "MBZ" in output:
        facts.add("mbz")
    if re.search(r"OPT=100\b", output):
        facts.add("option 100")
    if "RRSIG" in output:
        facts.add("rrsig")
    return facts


def _ask(port, row):
    """Expectations that dig's answer does not meet."""
    section, args, expected = row
    argv = ["dig", f"@{HOST}", "-p", str(port), "+tries=2", "+time=5", *args.split()]
    output = subprocess.run(argv, capture_output=True, text=True, timeout=30).stdout
    facts = _facts(output)
    return [
        f"{section}: expected {what}\n{output}"
        for what in expected
        if (what[4:] in facts if what.startswith("not ") else what not in facts)
    ]


def test_every_command_of_section_8_gets_what_the_rfc_expects(livezone):
    whole = livezone()
    whole.api.put("name.live.test", "A", "10.0.0.1")
    with ThreadPoolExecutor(4) as pool:
        asked = pool.map(lambda row: _ask(whole.unbound.port, row), _TESTS)
        faults = [fault for found in asked for fault in found]
    assert not faults, "\n".join(faults)
