"""What test_docs.py asks of README files: headings, commands, links. Each returns sentences, none when all is well."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

FENCE = re.compile(r"^```.*?^```[ \t]*$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
INLINE = re.compile(r"(?<!`)`((?:tocsin|make) [^`]*)`")
INDENTED = re.compile(r"^ {4}(.+)$", re.MULTILINE)


def headings(text: str) -> list[str]:
    """Return the headings outside code blocks, without their code marks."""
    return [heading.replace("`", "") for heading in HEADING.findall(FENCE.sub("", text))]


def without_heading(readme: Path, things: Iterable[str]) -> list[str]:
    """Return the things that no heading of the README names as a word of its own."""
    if not readme.is_file():
        return [f"{readme}: missing"]
    words = {
        word.strip(",:;()") for heading in headings(readme.read_text(encoding="utf-8")) for word in heading.split()
    }
    return [f"{readme}: no heading for {thing}" for thing in things if thing not in words]


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each `tocsin` and `make` command in code blocks, fenced or indented, and in inline code."""
    blocks = [line for block in FENCE.findall(text) for line in block.splitlines()[1:-1]]
    rest = FENCE.sub("", text)
    for line in [*blocks, *INDENTED.findall(rest), *INLINE.findall(rest)]:
        line = re.sub(r"^\s*\$ ", "", line).strip()
        line = re.sub(r"^\.venv/bin/", "", line)
        if re.match(r"(tocsin|make)( |$)", line):
            yield shlex.split(line, comments=True)


def wrong_commands(readme: Path, verbs: Mapping[str, set[str]], targets: set[str]) -> list[str]:
    """Return the commands that name no verb, option or target there is. `verbs`: name -> its options."""
    found = []
    for words in commands(readme.read_text(encoding="utf-8")):
        if words[0] == "make":
            unknown = [word for word in words[1:] if re.fullmatch(r"[a-z][a-z0-9-]*", word) and word not in targets]
            found += [f"{readme}: `make {word}` is no target" for word in unknown]
        elif len(words) > 1:
            found += [f"{readme}: {problem}" for problem in _wrong_verb(words[1:], verbs)]
    return found


def _wrong_verb(words: list[str], verbs: Mapping[str, set[str]]) -> list[str]:
    bare = [word.strip("[]`,.") for word in words]
    options = {word.partition("=")[0] for word in bare if word.startswith("-")}
    if words[0].startswith("-"):
        return [f"`tocsin {option}` is no option" for option in options - {"--help", "-h", "--version"}]
    if words[0] not in verbs:
        return [f"`tocsin {words[0]}` is no verb"]
    return [f"`tocsin {words[0]} {option}` is no option" for option in options - verbs[words[0]] - {"--help", "-h"}]


def broken_links(readme: Path) -> list[str]:
    """Return the relative links and anchors that lead nowhere."""
    found = []
    for target in LINK.findall(FENCE.sub("", readme.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = readme.parent / name if name else readme
        if not path.exists():
            found.append(f"{readme}: {target} leads nowhere")
        elif anchor and path.is_file() and anchor not in _anchors(path):
            found.append(f"{readme}: {path.name} has no heading #{anchor}")
    return found


def _anchors(path: Path) -> set[str]:
    slug: Callable[[str], str] = lambda heading: re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")  # noqa: E731
    return {slug(heading) for heading in headings(path.read_text(encoding="utf-8"))}


def wrong_counts(readme: Path, counts: Mapping[str, int]) -> list[str]:
    """Return the numbers of things (`52 faults`) that are not as many as there are."""
    text = readme.read_text(encoding="utf-8")
    return [
        f"{readme}: {number} {thing}, there are {counts[thing]}"
        for number, thing in re.findall(r"\b(\d+) \[?([a-z]+)\b", text)
        if thing in counts and int(number) != counts[thing]
    ]
