"""What the local engine can do to a role here, and what it makes for a plan: disks and memory groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.scenario import Timeline
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.engines.common import host_resources
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.kernel import disks, memory_cgroups, open_files, write_cgroups
from tocsin.harness.engines.kernel.cgroups import Shelf
from tocsin.harness.engines.kernel.memory_cgroups import MemoryGroup
from tocsin.harness.engines.kernel.write_cgroups import WriteGroup


def handles(stack: Stack) -> frozenset[str]:
    """Return what can be done to a role on this machine (`tocsin.harness.faults.bases.fault.HANDLES`)."""
    able = {"start", "signal", "freeze", "run_in"}
    able |= {"limit:open_files"} if open_files.able() else set()
    able |= {"limit:memory"} if memory_cgroups.shelf() else set()
    able |= {f"disk:{name}" for name in stack.disks} if disks.able() else set()
    able |= {f"slow:{name}" for name in stack.disks} if disks.able_to_slow() else set()
    return frozenset(able)


@dataclass(frozen=True, kw_only=True)
class Extras:
    """The disks, those of them that are slowed, and the roles with a memory group that a plan needs, by name."""

    disks: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()
    grouped: tuple[str, ...] = ()

    @classmethod
    def of(cls, timeline: Timeline) -> Extras:
        """Read them from the needs of the plan's faults."""
        wanted, slow = disks.wanted(timeline), disks.slowed(timeline)
        return cls(disks=wanted, slow=slow, grouped=memory_cgroups.wanted(timeline))


NOTHING = Extras()


@dataclass(frozen=True, kw_only=True)
class Made:
    """What was made: disk -> the folder it is mounted on, role -> its memory group, role -> its group for writes."""

    mounts: Mapping[str, Path] = field(default_factory=dict)
    groups: Mapping[str, MemoryGroup] = field(default_factory=dict)
    writes: Mapping[str, WriteGroup] = field(default_factory=dict)

    @classmethod
    def read(cls, content: Mapping[str, Mapping[str, str]]) -> Made:
        """Return what stack.json says of them, as `written` put it there."""
        mounts = {name: Path(place) for name, place in content.get("disks", {}).items()}
        folders = tuple(mounts.values())
        return cls(
            mounts=mounts,
            groups={role: MemoryGroup(place=Path(place)) for role, place in content.get("groups", {}).items()},
            writes={
                role: WriteGroup(place=Path(place), folders=folders)
                for role, place in content.get("write_groups", {}).items()
            },
        )

    def written(self) -> dict[str, dict[str, str]]:
        """Return what stack.json is to hold."""
        return {
            "disks": {name: str(place) for name, place in self.mounts.items()},
            "groups": {role: str(group.place) for role, group in self.groups.items()},
            "write_groups": {role: str(group.place) for role, group in self.writes.items()},
        }


def make(extras: Extras, places: Places) -> Made:
    """Write down what is going to be made, then make it; StackError if this machine does not let us."""
    stack = places.stack
    mounts = places_of_disks(extras, places)
    groups = {role: MemoryGroup(place=_place(memory_cgroups.shelf(), places, role)) for role in extras.grouped}
    slowed = dict.fromkeys(stack.disks[name].role for name in extras.slow)
    folders = tuple(mounts.values())
    writes = {role: WriteGroup(place=_place(write_cgroups.shelf(), places, role), folders=folders) for role in slowed}
    every = [*groups.values(), *writes.values()]
    host_resources.write_down(places.work, mounts=folders, groups=[group.place for group in every])
    mount_all(mounts, extras, places)
    for group in every:
        group.make()
    return Made(mounts=mounts, groups=groups, writes=writes)


def places_of_disks(extras: Extras, places: Places) -> dict[str, Path]:
    """Return disk -> the folder over which it is to be mounted; StackError for one outside of the work folder."""
    declared = places.stack.disks
    mounts = {name: Path(places.fill(declared[name].path, declared[name].role)) for name in extras.disks}
    for name, place in mounts.items():
        if not place.is_relative_to(places.work):
            raise StackError(f"Disk {name!r} at {place} is not below the work folder.", hint="Correct stack.yaml.")
    return mounts


def mount_all(mounts: Mapping[str, Path], extras: Extras, places: Places) -> None:
    """Make each disk over its folder, of the kind that the plan needs; whoever calls has written that down before."""
    for name, place in mounts.items():
        mib = places.stack.disks[name].mib
        if name in extras.slow:
            disks.mount_file(place, mib, places.work / f"{name}.img")
        else:
            disks.mount(place, mib)


def _place(shelf: Shelf | None, places: Places, role: str) -> Path:
    if shelf is None:
        raise StackError("No control group can be made here.", hint="It takes write access to the kernel's cgroups.")
    return shelf.place(places.run_id, role)
