# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""One or more rdata of every type that libldns knows, most of them from the RFC that made
the type. The wire form is dnspython's, or written here for types that dnspython has not."""

import ctypes
import functools

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

_ADDRESS = "c0000201"  # 192.0.2.1
_HOST = "04686f7374" "076578616d706c65" "00"  # host.example.
_MAIL = "046d61696c" "076578616d706c65" "00"  # mail.example.
_KEY = (
    "AQPSKmynfzW4kyBv015MUG2DeIQ3Cbl+BBZH4b/0PY1kxkmvHjcZc8nokfzj31GajIQKY+5CptLr"
    "3buXA10hWqTkF7H6RfoRqXQeogmMHfpftf6zMv1LyBUgia7za6ZEzOJBOztyvhjL742iU/TpPSED"
    "hm2SNKLijfUppn1UaNvv4w=="
)

# (type, text) for dnspython, (type, text, hex) for the rest.
SAMPLES = [
    ("A", "192.0.2.1"),
    ("NS", "ns1.example."),
    ("MD", "host.example.", _HOST),
    ("MF", "host.example.", _HOST),
    ("CNAME", "Host.Example."),
    ("MB", "host.example.", _HOST),
    ("MG", "mail.example.", _MAIL),
    ("MR", "mail.example.", _MAIL),
    ("NULL", "\\# 4 00ff2e22", "00ff2e22"),
    ("WKS", "\\# 9 c000020106000000c0", _ADDRESS + "06000000c0"),
    ("PTR", "host.example."),
    ("HINFO", '"DEC-2060" "TOPS 20"'),
    ("MINFO", "host.example. mail.", _HOST + "046d61696c00"),  # nothing to compress
    ("MX", "10 mail.example."),
    ("MX", "0 ."),  # RFC 7505
    ("TXT", '"v=spf1 -all"'),
    ("TXT", '"quote \\" and \\\\" "" "\\000\\255;\\032x"'),
    ("TXT", " ".join(['"' + "x" * 255 + '"'] * 8)),
    ("RP", "mail.example. ."),
    ("AFSDB", "1 host.example."),
    ("X25", '"311061700956"'),
    ("ISDN", '"150862028003217" "004"'),
    ("ISDN", '"150862028003217"'),
    ("RT", "2 relay.example."),
    ("NSAP", "\\# 20 47000580005a0000000001e133ffffff00016100", "47000580005a0000000001e133ffffff00016100"),
    ("NSAP-PTR", "\\# 14 " + _HOST, _HOST),
    (
        "SIG",
        "A 5 3 86400 20030322173103 20030220173103 2642 example. AQID",
        "0001050300015180" "3e7c9dd73e5510d7" "0a52" "076578616d706c6500" "010203",
    ),
    ("KEY", "512 3 5 AQID", "02000305010203"),
    ("PX", "10 net2.example. prmd-net2.example."),
    ("GPOS", '"-32.6882" "116.8652" "10.0"'),
    ("AAAA", "2001:db8::1"),
    ("AAAA", "::ffff:192.0.2.1"),
    ("LOC", "42 21 54.000 N 71 6 18.000 W -24.00m 30.00m 10000.00m 10.00m"),
    ("NXT", "\\# 15 04686f7374076578616d706c650060", _HOST + "60"),
    ("EID", "e32c6f78163a9348", "e32c6f78163a9348"),
    ("NIMLOC", "3250514f", "3250514f"),
    ("SRV", "0 5 5060 sip.example."),
    ("ATMA", "\\# 4 01313233", "01313233"),
    ("NAPTR", '100 10 "u" "sip+E2U" "!^.*$!sip:information@foo.se!i" .'),
    ("KX", "2 relay.example."),
    ("CERT", "PKIX 1 8 AQIDBAU="),
    ("CERT", "65534 65535 254 AQID"),
    ("A6", "\\# 17 0020010db8000000000000000000000001", "0020010db8000000000000000000000001"),
    ("DNAME", "other.example."),
    ("SINK", "\\# 3 400102", "400102"),
    ("APL", "1:192.168.32.0/21 !1:192.168.38.0/28"),
    ("APL", "2:ff00::/8 !1:10.0.0.0/32"),
    ("DS", "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118"),
    ("SSHFP", "2 1 123456789abcdef67890123456789abcdef67890"),
    ("IPSECKEY", "10 1 2 192.0.2.38 " + _KEY),
    ("IPSECKEY", "10 0 2 . " + _KEY),
    ("IPSECKEY", "10 3 2 mygateway.example. " + _KEY),
    ("IPSECKEY", "10 2 2 2001:db8:0:8002::2000:1 " + _KEY),
    ("RRSIG", "A 5 3 86400 20030322173103 20030220173103 2642 example. AQIDBA=="),
    ("NSEC", "host.example. A MX RRSIG NSEC TYPE1234"),
    ("DNSKEY", "256 3 5 " + _KEY),
    ("DHCID", "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA="),
    ("NSEC3", "1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS SOA NSEC3PARAM RRSIG"),
    ("NSEC3", "1 0 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr"),
    ("NSEC3PARAM", "1 0 12 aabbccdd"),
    ("NSEC3PARAM", "1 0 0 -"),
    ("TLSA", "3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971"),
    ("SMIMEA", "3 0 0 d2abde240d7cd3ee6b4b28c5"),
    ("HIP", "2 200100107B1A74DF365639CC39F1D578 AwEAAbdxyhNuSutc5EMzxTs9 rvs.example."),
    ("TALINK", "host.example. mail.example.", _HOST + _MAIL),
    ("CDS", "0 0 0 00"),
    ("CDNSKEY", "0 3 0 AA=="),
    ("OPENPGPKEY", "mQINBAoAAAE="),
    ("CSYNC", "66 3 A NS AAAA"),
    ("ZONEMD", "2018031500 1 1 " + "ab" * 48),
    ("SVCB", "16 foo.example. alpn=h2,h3 port=8443"),  # RFC 9460, appendix D
    ("SVCB", "1 foo.example. key667=hello"),
    ("SVCB", '1 foo.example. key667="hello\\210qoo"'),
    ("SVCB", "1 foo.example. ipv6hint=2001:db8::1,2001:db8::53:1"),
    ("SVCB", "16 foo.example. mandatory=ipv4hint,alpn alpn=h2,h3-19 ipv4hint=192.0.2.1"),
    ("HTTPS", "0 foo.example."),
    ("HTTPS", "1 . alpn=h3 no-default-alpn ech=AEP+DQA= ipv4hint=192.0.2.1"),
    ("SPF", '"v=spf1 +mx a:colo.example/28 -all"'),
    ("NID", "10 0014:4fff:ff20:ee64"),
    ("L32", "10 10.1.2.0"),
    ("L64", "10 2001:0db8:1140:1000"),
    ("LP", "10 l64-subnet1.example."),
    ("EUI48", "00-00-5e-00-53-2a"),
    ("EUI64", "00-00-5e-ef-10-00-00-2a"),
    ("URI", '10 1 "ftp://ftp1.example.com/public"'),
    ("CAA", '0 issue "ca.example.net; account=230123"'),
    ("CAA", '128 tbs "Unknown"'),
    ("DLV", "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118", "ec450501" "2bb183af5f22588179a53b0a98631fad1a292118"),
]

# Types that libldns does not know, and lengths that no type has (RFC 3597 section 5).
UNKNOWN = [
    ("TYPE54", "\\# 0", ""),
    ("TYPE127", "\\# 1 00", "00"),
    ("TYPE1258", "\\# 4 c00c0000", "c00c0000"),  # what looks like a pointer is none
    ("TYPE1260", "\\# 2 0a00", "0a00"),
    ("TYPE731", "\\# 6 abcdef012345", "abcdef012345"),
    ("TYPE65280", "\\# 300 " + "5c" * 300, "5c" * 300),
    ("TYPE65534", "\\# 3 ffffff", "ffffff"),
]


def wire_of(sample):
    """The bytes that a sample stands for."""
    if len(sample) == 3:
        return bytes.fromhex(sample[2])
    rdata = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(sample[0]), sample[1])
    return rdata.to_wire(origin=dns.name.root)


def generic_of(wire):
    return f"\\# {len(wire)} {wire.hex()}".rstrip()


class _Descriptor(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("minimum", ctypes.c_uint8),
        ("maximum", ctypes.c_uint8),
    ]


@functools.lru_cache
def types_of_ldns():
    """name -> number of all types that the installed libldns has a description of."""
    ldns = ctypes.CDLL("libldns.so.3")
    ldns.ldns_rr_descript.restype = ctypes.POINTER(_Descriptor)
    ldns.ldns_rr_descript.argtypes = [ctypes.c_uint16]
    found = {}
    for number in range(65536):
        descriptor = ldns.ldns_rr_descript(number).contents
        if descriptor.name and descriptor.type == number:
            found[descriptor.name.decode()] = number
    return found


def type_number(name):
    return types_of_ldns().get(name) or dns.rdatatype.from_text(name)
