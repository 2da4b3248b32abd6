"""Signed notes against the examples of others, under every flip, and against every defect by its name."""

from __future__ import annotations

import base64
import doctest
import re
from collections.abc import Iterator
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtok import notes
from mtok.notes import (
    NOTE_BYTES_MAX,
    Checkpoint,
    Note,
    NoteRefused,
    PrivateKey,
    PublicKey,
    open_note,
    sign_note,
)
from mtok.proofs import Proof, Tree, check_inclusion, decode_proof, encode_proof, leaf_hash

# ---- the examples of others

PETER_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_LINE = (
    "— PeterNeumann "
    + "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_LINE = (
    "— EnochRoot "
    + "rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
NOTE = f"{TEXT}\n{PETER_LINE}".encode()
"""The documentation of golang.org/x/mod/sumdb/note: two keys, a text and their signatures."""

CHECKPOINT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
"""The example of c2sp.org/tlog-checkpoint."""


def test_the_example_of_go_is_signed_to_the_byte() -> None:
    key = PrivateKey.parse(PETER_PRIVATE)
    assert sign_note(TEXT, key) == NOTE
    assert (str(key.public), key.text) == (PETER, PETER_PRIVATE)
    assert key.public.id.hex() == "c74f20a3"


def test_the_example_of_go_verifies() -> None:
    peter, enoch = PublicKey.parse(PETER), PublicKey.parse(ENOCH)
    both = NOTE + ENOCH_LINE.encode()
    assert open_note(NOTE, [peter]) == Note(text=TEXT, signed_by=(peter,))
    assert open_note(both, [enoch]) == Note(text=TEXT, signed_by=(enoch,))
    assert open_note(both, [enoch, peter, enoch]) == Note(text=TEXT, signed_by=(peter, enoch))


def test_the_example_of_the_specification_verifies() -> None:
    """c2sp.org/signed-note, version 1.1, section Verifier keys."""
    key = PublicKey.parse("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
    raw = (
        "This is an example message.\n\n"
        "— example.com/foo "
        "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
    )
    assert open_note(raw.encode(), [key]).text == "This is an example message.\n"


def test_ed25519_by_someone_else() -> None:
    """RFC 8032, section 7.1, tests 1 and 2."""
    seeds = [
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    ]
    publics = [
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    ]
    signatures = [
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ]
    for seed, public, signature, message in zip(seeds, publics, signatures, [b"", b"\x72"], strict=True):
        key = PrivateKey(name="rfc8032.example", seed=bytes.fromhex(seed))
        assert key.public.key.hex() == public
        assert key.sign(message).hex() == signature
        assert key.public.verifies(key.sign(message), message)


# ---- keys of these tests


def private(number: int, name: str = "log.example") -> PrivateKey:
    """Return the key with a number."""
    return PrivateKey(name=name, seed=sha256(b"seed %d" % number).digest())


KEY = private(0)
OTHER = private(1, "witness.example")
KNOWN = [KEY.public]
SIGNED = sign_note("hello\nworld\n", KEY)


def line(name: str, key_id: bytes, signature: bytes) -> bytes:
    """Return a signature line, whatever it says."""
    return f"— {name} {base64.b64encode(key_id + signature).decode()}\n".encode()


LINE = line(KEY.name, KEY.public.id, KEY.sign(b"hello\nworld\n"))
FOREIGN = line("other.example", b"abcd", b"signature")


def refused(raw: bytes, message: str, **limits: int) -> None:
    """Assert that a note is refused, with a message."""
    with pytest.raises(NoteRefused, match=message):
        open_note(raw, KNOWN, **limits)


def test_signing_twice_gives_the_same_bytes() -> None:
    assert sign_note("hello\nworld\n", KEY) == SIGNED == b"hello\nworld\n\n" + LINE


def test_a_text_may_have_empty_lines_and_lines_like_signatures() -> None:
    for text in ("\n", "\n\n", "a\n\n", f"a\n\n{LINE.decode()}", "è — ü\x7f\n"):
        assert open_note(sign_note(text, KEY), KNOWN).text == text


@given(st.text().map(lambda text: text + "\n"))
def test_any_text_that_can_be_signed_comes_back(text: str) -> None:
    try:
        raw = sign_note(text, KEY, OTHER)
    except NoteRefused:
        assert re.search(r"[\0-\x09\x0b-\x1f\ud800-\udfff]", text)
        return
    assert open_note(raw, KNOWN) == Note(text=text, signed_by=(KEY.public,))
    assert open_note(raw, [OTHER.public, KEY.public]).signed_by == (KEY.public, OTHER.public)


# ---- changed notes


def test_no_note_with_one_bit_changed_is_opened() -> None:
    opened = 0
    for bit in range(8 * len(SIGNED)):
        changed = bytearray(SIGNED)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            open_note(bytes(changed), KNOWN)
        except NoteRefused:
            continue
        opened += 1
    assert (opened, 8 * len(SIGNED)) == (0, 976)


def test_no_note_with_a_byte_more_less_or_twice_is_opened() -> None:
    changes = [SIGNED[:at] + SIGNED[at + 1 :] for at in range(len(SIGNED))]
    changes += [
        SIGNED[:at] + new + SIGNED[at:] for at in range(len(SIGNED) + 1) for new in (b"\n", b" ", b"A", b"=")
    ]
    changes += [SIGNED[:at] for at in range(len(SIGNED))]
    opened = 0
    for changed in changes:
        try:
            open_note(changed, KNOWN)
        except NoteRefused:
            continue
        opened += 1
    assert (opened, len(changes)) == (0, 736)


@given(st.data())
def test_a_changed_note_is_refused_or_says_the_same(data: st.DataObject) -> None:
    """Lines of unknown keys may come and go; what is opened has the text and the signer of the note."""
    raw = sign_note("hello\nworld\n", OTHER, KEY)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(raw)))
        end = data.draw(
            st.integers(start, min(len(raw), start + data.draw(st.sampled_from([0, 1, 1, 4, 130]))))
        )
        new = data.draw(
            st.binary(max_size=3) | st.sampled_from([b"\n", FOREIGN, LINE, "—".encode(), b" ", b"="])
        )
        raw = raw[:start] + new + raw[end:]
    try:
        note = open_note(raw, KNOWN)
    except NoteRefused:
        return
    assert note == Note(text="hello\nworld\n", signed_by=(KEY.public,))


@given(
    st.binary()
    | st.text().map(str.encode)
    | st.text("\n— a+=A\r\0ü").map(lambda text: f"a\n\n— {text}\n".encode())
)
def test_any_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(NoteRefused):
        open_note(raw, KNOWN)


@given(st.text() | st.text("+AQ=0af").map(lambda text: f"a+00000000+{text}") | st.text("\n0123A="))
def test_any_text_is_one_key_and_one_checkpoint_or_refused(text: str) -> None:
    for kind in (PublicKey, PrivateKey, Checkpoint):
        try:
            found = kind.parse(text)
        except NoteRefused:
            continue
        assert text == (str(found) if isinstance(found, PublicKey) else found.text)


# ---- every defect by its name


@pytest.mark.parametrize("dash", ["-", "–", "―", "−", "", "— —"])
def test_a_line_begins_with_an_em_dash(dash: str) -> None:
    refused(SIGNED.replace("—".encode(), dash.encode()), "line 4: not '— name base64'")


@pytest.mark.parametrize("old", [b"\xe2\x80\x94 ", b"example "])
@pytest.mark.parametrize("new", ["  ", "\N{NO-BREAK SPACE}", "\N{EM SPACE}", ""])
def test_there_is_one_space_between_the_parts_of_a_line(old: bytes, new: str) -> None:
    refused(SIGNED.replace(old, old.rstrip() + new.encode()), "line 4: ")


def test_a_line_has_no_space_at_its_end() -> None:
    refused(SIGNED[:-1] + b" \n", "line 4: not '— name base64'")


def test_carriage_returns_are_refused() -> None:
    refused(SIGNED.replace(b"\n", b"\r\n"), r"^note, line 1: control character '\\r'$")


@pytest.mark.parametrize("number", [number for number in range(32) if number != 10])
def test_control_characters_are_refused_by_reader_and_signer(number: int) -> None:
    refused(SIGNED.replace(b"world", b"wor" + bytes([number]) + b"ld"), "^note, line 2: control character")
    refused(SIGNED[:-2] + bytes([number]) + SIGNED[-2:], "^note, line 4: control character")
    with pytest.raises(NoteRefused, match=r"^text, line 2: control character"):
        sign_note(f"hello\nwor{chr(number)}ld\n", KEY)


@pytest.mark.parametrize("new", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xe2\x80"])
def test_a_note_is_utf8(new: bytes) -> None:
    refused(SIGNED.replace(b"world", new), "^line 2: byte 6 of the note is not UTF-8$")


def test_a_note_ends_with_a_newline() -> None:
    refused(SIGNED[:-1], r"^note does not end with a newline \(line 4\)$")
    refused(b"", r"^note does not end with a newline \(line 1\)$")


def test_a_note_has_a_blank_line() -> None:
    refused(SIGNED.replace(b"\n\n", b"\n"), "^note has no blank line before its signatures$")
    refused(LINE, "^note has no blank line before its signatures$")


def test_a_note_has_a_signature() -> None:
    refused(b"hello\nworld\n\n", "^line 4: note ends where its signatures should begin$")
    refused(SIGNED + b"\n", "^line 6: note ends where its signatures should begin$")


def test_a_note_has_no_blank_line_between_signatures() -> None:
    refused(SIGNED + b"\n" + FOREIGN, "^none of the 1 signatures is of a known key")


def test_16_signatures_are_read_and_17_are_not() -> None:
    keys = [private(number) for number in range(17)]
    raw = sign_note("a\n", *keys[:16])
    assert open_note(raw, [key.public for key in keys]).signed_by == tuple(key.public for key in keys[:16])
    refused(raw + FOREIGN, r"^line 19: more than 16 signatures \(17\)$")
    with pytest.raises(NoteRefused, match="1 to 16 signatures, not 17"):
        sign_note("a\n", *keys)


def test_a_line_of_the_same_name_and_another_id_is_of_an_unknown_key() -> None:
    assert open_note(sign_note("a\n", private(5), KEY), KNOWN).signed_by == (KEY.public,)
    refused(sign_note("a\n", private(5)), r"^none of the 1 signatures is of a known key \(lines 3 and on\)$")


def test_a_line_of_the_same_id_and_another_name_is_of_an_unknown_key() -> None:
    stranger = line("other.example", KEY.public.id, KEY.sign(b"hello\nworld\n"))
    assert open_note(SIGNED + stranger, KNOWN).signed_by == (KEY.public,)
    refused(SIGNED.replace(LINE, stranger), "^none of the 1 signatures")


def test_a_key_signs_once() -> None:
    refused(SIGNED + LINE, f"^line 5: second signature of log.example with key {KEY.public.id.hex()}$")
    with pytest.raises(NoteRefused, match="a key signs a note once"):
        sign_note("a\n", KEY, KEY)


def test_lines_of_unknown_keys_are_ignored_even_twice() -> None:
    """c2sp.org/signed-note: verifiers MUST ignore signatures from unknown keys."""
    assert open_note(SIGNED + FOREIGN + FOREIGN, KNOWN).signed_by == (KEY.public,)


def test_lines_of_unknown_keys_are_well_formed_all_the_same() -> None:
    refused(
        SIGNED + FOREIGN.replace(b"other.", b"other+"),
        "^line 5: key name 'other[+]example' has a space, a plus",
    )


@pytest.mark.parametrize("bad_first", [True, False])
def test_a_bad_signature_of_a_known_key_refuses_the_note_whoever_else_signed(bad_first: bool) -> None:
    bad = line(OTHER.name, OTHER.public.id, OTHER.sign(b"another text\n"))
    raw = b"hello\nworld\n\n" + (bad + LINE if bad_first else LINE + bad)
    number = 4 if bad_first else 5
    with pytest.raises(
        NoteRefused, match=rf"^line {number}: signature of witness.example .* does not verify$"
    ):
        open_note(raw, [KEY.public, OTHER.public])
    assert open_note(raw, KNOWN).signed_by == (KEY.public,)


def test_a_note_signed_by_no_known_key_is_refused() -> None:
    refused(sign_note("a\n", OTHER), "^none of the 1 signatures is of a known key")
    with pytest.raises(NoteRefused, match="none of the 1 signatures"):
        open_note(SIGNED, [])
    with pytest.raises(NoteRefused, match="1 to 16 signatures, not 0"):
        sign_note("a\n")


def test_a_signature_has_one_spelling() -> None:
    """RFC 8032, 5.1.7: S is below the order of the group; S plus the order would verify too."""
    signature = KEY.sign(b"hello\nworld\n")
    order = 2**252 + 27742317777372353535851937790883648493
    larger = int.from_bytes(signature[32:], "little") + order
    again = signature[:32] + larger.to_bytes(32, "little")
    refused(SIGNED.replace(LINE, line(KEY.name, KEY.public.id, again)), "does not verify")


@pytest.mark.parametrize("count", [1, 63, 65])
def test_a_signature_of_another_length_does_not_verify(count: int) -> None:
    refused(SIGNED.replace(LINE, line(KEY.name, KEY.public.id, bytes(count))), "does not verify")


def test_a_signature_has_5_bytes_at_least() -> None:
    refused(SIGNED + line("a", b"abcd", b""), "^line 5: signature of 4 bytes, at least 5 expected$")
    assert open_note(SIGNED + line("a", b"abcd", b"5"), KNOWN).text == "hello\nworld\n"


@pytest.mark.parametrize(
    "data", ["YWJjZGU", "YWJjZGV=", "YWJjZGU=A", "YWJj-_U=", "YWJj ZGU=", "YWJjZGU==", "="]
)
def test_base64_is_canonical_in_every_line(data: str) -> None:
    assert open_note(SIGNED + "— a YWJjZGU=\n".encode(), KNOWN).text == "hello\nworld\n"
    refused(SIGNED + f"— a {data}\n".encode(), "^line 5: ")


def test_a_note_has_a_limit_that_its_reader_can_raise() -> None:
    text = "a" * (NOTE_BYTES_MAX - len(sign_note("\n", KEY))) + "\n"
    assert open_note(sign_note(text, KEY), KNOWN).text == text
    larger = sign_note("a" + text, KEY)
    refused(larger, "^note has 1048577 bytes, above 1048576$")
    assert open_note(larger, KNOWN, bytes_max=len(larger)).text == "a" + text
    refused(SIGNED, "above 119", bytes_max=119)


def test_two_known_keys_that_a_line_cannot_tell_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PublicKey, "id", b"same")
    with pytest.raises(NoteRefused, match=r"two known keys of log.example share the id"):
        open_note(SIGNED, [KEY.public, private(1).public])


# ---- keys

NAMES = [
    "",
    " ",
    "a b",
    "a+b",
    "a\N{NO-BREAK SPACE}",
    "\N{EM SPACE}a",
    "a\N{IDEOGRAPHIC SPACE}b",
    "a\x85",
    "\u2028",
]
NAMES += ["a\n", "a\tb", "a\0", "a\x1f", "\ud800"]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_no_key_has(name: str) -> None:
    with pytest.raises(NoteRefused, match="key name"):
        PublicKey(name=name, key=KEY.public.key)
    with pytest.raises(NoteRefused, match="key name"):
        PrivateKey(name=name, seed=KEY.seed)


def manglings(text: str) -> Iterator[str]:
    """Yield every part of a text, and the text with each character replaced by the next."""
    for start in range(len(text)):
        yield from (text[start:end] for end in range(start, len(text) + 1) if (start, end) != (0, len(text)))
    yield from (text[:at] + chr(ord(text[at]) + 1) + text[at + 1 :] for at in range(len(text)))


@pytest.mark.parametrize(
    ("kind", "text"), [(PublicKey, PETER), (PublicKey, ENOCH), (PrivateKey, PETER_PRIVATE)]
)
def test_no_mangled_key_is_taken(kind: type[PublicKey] | type[PrivateKey], text: str) -> None:
    changes = list(manglings(text))
    for changed in changes:
        with pytest.raises(NoteRefused):
            kind.parse(changed)
    assert len(changes) > 2000


def key_line(name: str, data: bytes) -> str:
    """Return a key line of any type and length whose id fits."""
    key_id = sha256(name.encode() + b"\n" + data).hexdigest()[:8]
    return f"{name}+{key_id}+{base64.b64encode(data).decode()}"


def test_a_key_is_of_type_1_and_of_32_bytes() -> None:
    key = KEY.public.key
    assert PublicKey.parse(key_line("log.example", b"\x01" + key)) == KEY.public
    with pytest.raises(NoteRefused, match=r"^public key is of type 0x04, not 0x01 \(Ed25519\)$"):
        PublicKey.parse(key_line("log.example", b"\x04" + key))
    for other in (key[:31], key + b"\0", b""):
        with pytest.raises(NoteRefused, match=f"^public key has {len(other)} bytes, not 32$"):
            PublicKey.parse(key_line("log.example", b"\x01" + other))
    with pytest.raises(NoteRefused, match="public key has 31 bytes"):
        PublicKey(name="a", key=key[:31])
    with pytest.raises(NoteRefused, match="seed has 33 bytes"):
        PrivateKey(name="a", seed=bytes(33))


def test_a_key_is_written_in_one_way() -> None:
    with pytest.raises(NoteRefused, match="8 lower-case hexadecimal digits"):
        PublicKey.parse(PETER.replace("c74f20a3", "C74F20A3"))
    with pytest.raises(
        NoteRefused, match=r"^public key of 'PeterNeumann' has the id c74f20a3, not c74f20a4$"
    ):
        PublicKey.parse(PETER.replace("c74f20a3", "c74f20a4"))
    with pytest.raises(NoteRefused, match="not canonical base64"):
        PublicKey.parse(PETER + "\n")
    with pytest.raises(NoteRefused, match=r"does not begin with 'PRIVATE[+]KEY[+]'"):
        PrivateKey.parse(PETER)


def test_no_message_shows_a_seed() -> None:
    data = PETER_PRIVATE.rsplit("+", 2)
    key = PrivateKey.parse(PETER_PRIVATE)
    assert repr(key) == str(key) == "PrivateKey(name='PeterNeumann')"
    secrets = [part[at : at + 8] for part in data[1:] for at in range(len(part) - 7) if part != "c74f20a3"]
    secrets += [key.seed.hex()[:16], repr(key.seed)[2:12]]
    told = 0
    for changed in [
        *manglings(PETER_PRIVATE),
        PETER_PRIVATE + "A",
        PETER_PRIVATE + "\n",
        PETER_PRIVATE.lower(),
    ]:
        with pytest.raises(NoteRefused) as caught:
            PrivateKey.parse(changed)
        told += any(secret in f"{caught.value!r} {caught.value.__cause__!r}" for secret in secrets)
    assert told == 0
    assert len(secrets) > 20


# ---- checkpoints


def test_the_example_of_a_checkpoint() -> None:
    checkpoint = Checkpoint.parse(CHECKPOINT)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert base64.b64encode(checkpoint.root) == b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    assert checkpoint.text == CHECKPOINT


@given(
    st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1),
    st.integers(0, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
)
def test_checkpoints_come_back(origin: str, size: int, root: bytes) -> None:
    checkpoint = Checkpoint(origin=origin, size=size, root=root)
    assert Checkpoint.parse(checkpoint.text) == checkpoint


@pytest.mark.parametrize(
    ("defect", "old", "new", "message"),
    [
        ("empty_origin", "example.com/behind-the-sofa", "", "line 1: origin '' is empty"),
        ("control_in_origin", "sofa", "so\tfa", "line 1: control character"),
        ("surrogate_in_origin", "sofa", "so\ud800", "line 1: origin is no Unicode text"),
        ("leading_zero", "20852163", "020852163", "line 2"),
        ("zero_twice", "20852163", "00", "line 2"),
        ("plus", "20852163", "+20852163", "line 2"),
        ("minus", "20852163", "-1", "line 2"),
        ("empty_size", "20852163", "", "line 2"),
        ("space_before_size", "20852163", " 20852163", "line 2"),
        ("underscore", "20852163", "20_852_163", "line 2"),
        ("fullwidth_digits", "20852163", "２０", "line 2"),
        ("too_large", "20852163", "9223372036854775808", "line 2: no log has the size 9223372036854775808"),
        ("endless", "20852163", "1" * 5000, "line 2"),
        (
            "root_of_31_bytes",
            "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=",
            "CsUY" * 10 + "Yg==",
            "line 3: root has 31",
        ),
        ("root_not_canonical", "q2I=", "q2J=", "line 3: 44 characters that are not canonical base64"),
        ("root_without_padding", "q2I=", "q2I", "line 3"),
        ("root_url_alphabet", "/", "_", "line 3"),
        ("extension_line", "q2I=\n", "q2I=\nextension\n", "has 4 lines, not 3"),
        ("blank_line_at_the_end", "q2I=\n", "q2I=\n\n", "has 4 lines, not 3"),
        ("no_final_newline", "q2I=\n", "q2I=", r"^checkpoint does not end with a newline \(line 3\)$"),
        (
            "extension_line_without_newline",
            "q2I=\n",
            "q2I=\nmore",
            r"does not end with a newline \(line 4\)$",
        ),
        ("two_lines", "20852163\n", "", "has 2 lines, not 3"),
        ("carriage_returns", "\n", "\r\n", "line 1: control character"),
    ],
)
def test_the_reader_of_checkpoints_is_strict(defect: str, old: str, new: str, message: str) -> None:
    changed = CHECKPOINT.replace(old, new)
    assert changed != CHECKPOINT
    with pytest.raises(NoteRefused, match=message):
        Checkpoint.parse(changed)


def test_a_checkpoint_without_a_text_is_refused() -> None:
    for origin, size, root in [
        ("a\nb", 1, bytes(32)),
        ("a", -1, bytes(32)),
        ("a", 2**63, bytes(32)),
        ("a", 1, b""),
    ]:
        with pytest.raises(NoteRefused, match=r"^checkpoint, line [123]: "):
            Checkpoint(origin=origin, size=size, root=root)


# ---- all of it together


def test_a_stranger_verifies_an_entry_from_a_proof_file_and_a_key() -> None:
    entries = [b"entry %d" % number for number in range(5)]
    tree = Tree(map(leaf_hash, entries))
    head = Checkpoint(origin="log.example", size=tree.size, root=tree.root())
    raw = encode_proof(
        Proof(index=3, hashes=tuple(tree.inclusion(3)), checkpoint=sign_note(head.text, KEY, OTHER))
    )

    proof = decode_proof(raw)
    found = Checkpoint.parse(open_note(proof.checkpoint, [PublicKey.parse(str(KEY.public))]).text)
    assert found == head
    assert check_inclusion(proof.index, found.size, leaf_hash(b"entry 3"), proof.hashes, found.root)
    assert not check_inclusion(proof.index, found.size, leaf_hash(b"entry 4"), proof.hashes, found.root)


def test_the_examples_in_the_docstrings_run() -> None:
    assert doctest.testmod(notes) == doctest.TestResults(failed=0, attempted=3)
