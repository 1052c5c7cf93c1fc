"""The bytes of a file: encodings, ends, and what a crash leaves."""

import gzip

from tests.hostile.mutations.mutation import CSV, EITHER, ENDS, FILES, NDJSON, PACKED, REFUSED, SAME, TEXT, At, mutation


@mutation("UTF-16", TEXT, REFUSED, formats=FILES, fhir=EITHER)
def utf_16(text: bytes, at: At) -> bytes:
    return text.decode("cp1252", "replace").encode("utf-16")


@mutation("Latin-1 with accents", TEXT, REFUSED, formats=FILES, fhir=EITHER, windows=ENDS)
def latin_1(text: bytes, at: At) -> bytes:
    return _inserted(text, "né à l'hôpital".encode("latin-1"), at)


@mutation("letters of CP1252, and one that it does not have", TEXT, REFUSED, formats=FILES, fhir=EITHER)
def cp1252(text: bytes, at: At) -> bytes:
    return _inserted(text, b"\x93 \x80 \x81 \x94", at)


@mutation("broken UTF-8", TEXT, REFUSED, formats=FILES, fhir=EITHER, windows=ENDS)
def broken_utf_8(text: bytes, at: At) -> bytes:
    return _inserted(text, b"\xc3\x28\xf0\x9f", at)


@mutation("a mark of byte order at the beginning", TEXT, SAME, formats=FILES, windows=REFUSED)
def byte_order_mark(text: bytes, at: At) -> bytes:
    return b"\xef\xbb\xbf" + text


def _inserted(text: bytes, strange: bytes, at: At) -> bytes:
    """Inside a value of the second half: before a letter that has a letter before it."""
    places = [i for i in range(len(text) // 2, len(text)) if text[i - 1 : i + 1].isalpha()]
    place = at.rng.choice(places) if places else len(text) - 1
    return text[:place] + strange + text[place:]


@mutation("the file stops in the middle", TEXT, EITHER, formats=FILES)
def truncated(text: bytes, at: At) -> bytes:
    return text[: at.rng.randrange(len(text) // 3, len(text) - 1)]


@mutation("an empty file", TEXT, REFUSED, formats=FILES, fhir=EITHER)
def empty_file(text: bytes, at: At) -> bytes:
    return b""


@mutation("a quote that opens and never closes", TEXT, EITHER, formats=FILES)
def open_quote(text: bytes, at: At) -> bytes:
    places = [i for i in range(len(text) // 2, len(text)) if text[i - 1 : i] in (b",", b";", b"\n")]
    place = at.rng.choice(places) if places else len(text) // 2
    return text[:place] + b'"' + text[place:]


@mutation("another delimiter", TEXT, REFUSED, formats=(CSV,))
def another_delimiter(text: bytes, at: At) -> bytes:
    strange = at.rng.choice((b"|", b"\t"))
    return text.replace(b";" if b";" in text.split(b"\n")[0] else b",", strange)


@mutation("line ends of another machine", TEXT, SAME, formats=(CSV, NDJSON))
def line_ends(text: bytes, at: At) -> bytes:
    return text.replace(b"\r\n", b"\n") if b"\r\n" in text else text.replace(b"\n", b"\r\n")


@mutation("carriage returns only", TEXT, EITHER, formats=(CSV, NDJSON))
def carriage_returns(text: bytes, at: At) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r")


@mutation("blank lines between the records", TEXT, SAME, formats=(CSV, NDJSON))
def blank_lines(text: bytes, at: At) -> bytes:
    return text.replace(b"\n", b"\n\r\n\n")


@mutation("the file twice, with its header in the middle", TEXT, formats=(CSV,))
def file_twice(text: bytes, at: At) -> bytes:
    return (text if text.endswith(b"\n") else text + b"\n") + text


@mutation("a block of NUL bytes at the end, as after a crash", TEXT, EITHER, formats=FILES)
def block_of_nul(text: bytes, at: At) -> bytes:
    return text + b"\x00" * 4096


@mutation("a gzip whose name does not say so", PACKED, REFUSED, formats=FILES, on="plain")
def gzip_without_its_name(packed: bytes, at: At) -> bytes:
    return gzip.compress(packed)


@mutation("a gzip that stops in the middle", PACKED, REFUSED, formats=FILES, on="gzip")
def truncated_gzip(packed: bytes, at: At) -> bytes:
    return packed[: len(packed) * 2 // 3]


@mutation("a gzip with other bytes in it", PACKED, REFUSED, formats=FILES, on="gzip")
def damaged_gzip(packed: bytes, at: At) -> bytes:
    middle = len(packed) // 2
    return packed[:middle] + bytes(255 - byte for byte in packed[middle : middle + 8]) + packed[middle + 8 :]


@mutation("a gzip that is none", PACKED, REFUSED, formats=FILES, on="gzip")
def no_gzip(packed: bytes, at: At) -> bytes:
    return gzip.decompress(packed)


@mutation("a gzip in two parts", PACKED, SAME, formats=FILES, on="gzip")
def gzip_in_two_parts(packed: bytes, at: At) -> bytes:
    text = gzip.decompress(packed)
    return gzip.compress(text[: len(text) // 2]) + gzip.compress(text[len(text) // 2 :])


@mutation("something behind the end of a gzip", PACKED, REFUSED, formats=FILES, on="gzip")
def behind_the_gzip(packed: bytes, at: At) -> bytes:
    return packed + b"and more"
