"""What can be done to a role on this machine, and what is made for one plan only: disks and control groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.timeline import Timeline
from tocsin.harness.engines.common import host_cleanup
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.common.stack_state import StackState
from tocsin.harness.engines.kernel import disks, memory_cgroups, open_files, write_cgroups
from tocsin.harness.engines.kernel.memory_cgroups import MemoryCgroup
from tocsin.harness.engines.kernel.write_cgroups import WriteCgroup


def capabilities(stack: Stack) -> frozenset[str]:
    """Return what can be done to a role's processes on this machine (`fault.CAPABILITIES`)."""
    able = {"start", "signal", "freeze", "run_in"} | kernel_capabilities(stack.disks)
    if memory_cgroups.parent():
        able.add("limit:memory")
    return frozenset(able)


def kernel_capabilities(disk_names: Iterable[str]) -> set[str]:
    """Return what the kernel lets us do to any process here, and to the disks of these names."""
    able = set()
    if open_files.can_limit():
        able.add("limit:open_files")
    if disks.can_mount():
        able |= {f"disk:{name}" for name in disk_names}
    if disks.can_slow():
        able |= {f"slow:{name}" for name in disk_names}
    return able


def planned_needs(timeline: Timeline, prefix: str) -> tuple[str, ...]:
    """Return what follows `prefix` in the needs of the plan's faults, each once."""
    named = [need for fault in timeline.faults for need in fault.fault.needs()]
    return tuple(dict.fromkeys(need.removeprefix(prefix) for need in named if need.startswith(prefix)))


def _roles_with_limited_memory(timeline: Timeline) -> tuple[str, ...]:
    roles = []
    for fault in timeline.faults:
        needed = fault.fault.needs()
        if "capability:limit:memory" in needed:
            roles += [need.removeprefix("role:") for need in needed if need.startswith("role:")]
    return tuple(dict.fromkeys(roles))


@dataclass(frozen=True, kw_only=True)
class HostNeeds:
    """What a plan needs of the host: disks, those of them that are slowed, and the roles with a memory group."""

    disks: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()
    grouped: tuple[str, ...] = ()

    @classmethod
    def of(cls, timeline: Timeline) -> HostNeeds:
        """Return what the faults of a plan need."""
        disks, slow = planned_needs(timeline, "capability:disk:"), planned_needs(timeline, "capability:slow:")
        return cls(disks=disks, slow=slow, grouped=_roles_with_limited_memory(timeline))

    def mount_points(self, places: Places) -> dict[str, Path]:
        """Return disk -> the folder to mount it on; StackError for one outside of the work folder."""
        declared = places.stack.disks
        folders = {name: Path(places.fill(declared[name].path, declared[name].role)) for name in self.disks}
        for name, folder in folders.items():
            if not folder.is_relative_to(places.work):
                raise StackError(f"Disk {name!r} at {folder} is not below the work folder.", hint="Correct stack.yaml.")
        return folders

    def mount_all(self, places: Places) -> None:
        """Mount each disk on its folder; engine.json must name the folders already, so that they are unmounted."""
        for name, folder in self.mount_points(places).items():
            mib = places.stack.disks[name].mib
            if name in self.slow:
                disks.mount_image(folder, mib, places.work / f"{name}.img")
            else:
                disks.mount_tmpfs(folder, mib)


@dataclass(frozen=True, kw_only=True)
class HostResources:
    """What was made: disk -> its folder, role -> its memory group, role -> its group for writes to its disks."""

    mounts: Mapping[str, Path] = field(default_factory=dict)
    groups: Mapping[str, MemoryCgroup] = field(default_factory=dict)
    writes: Mapping[str, WriteCgroup] = field(default_factory=dict)

    @classmethod
    def make(cls, needs: HostNeeds, places: Places) -> HostResources:
        """Write down what is going to be made, then make it; StackError if this machine does not allow it."""
        mounts = needs.mount_points(places)
        folders = tuple(mounts.values())
        slowed = dict.fromkeys(places.stack.disks[name].role for name in needs.slow)
        memory_parent, write_parent = memory_cgroups.parent(), write_cgroups.parent()
        made = cls(
            mounts=mounts,
            groups={role: MemoryCgroup(path=_group_path(memory_parent, places, role)) for role in needs.grouped},
            writes={
                role: WriteCgroup(path=_group_path(write_parent, places, role), folders=folders) for role in slowed
            },
        )
        groups = [*made.groups.values(), *made.writes.values()]
        host_cleanup.write_down(places.work, mounts=folders, groups=[group.path for group in groups])
        needs.mount_all(places)
        for group in groups:
            group.make()
        return made

    @classmethod
    def read(cls, content: StackState) -> HostResources:
        """Return what `state` put into stack.json."""
        mounts = {name: Path(folder) for name, folder in content.get("disks", {}).items()}
        folders = tuple(mounts.values())
        writes = content.get("write_groups", {})
        return cls(
            mounts=mounts,
            groups={role: MemoryCgroup(path=Path(path)) for role, path in content.get("groups", {}).items()},
            writes={role: WriteCgroup(path=Path(path), folders=folders) for role, path in writes.items()},
        )

    def state(self) -> StackState:
        """Return what stack.json is to hold."""
        return {
            "disks": {name: str(folder) for name, folder in self.mounts.items()},
            "groups": {role: str(group.path) for role, group in self.groups.items()},
            "write_groups": {role: str(group.path) for role, group in self.writes.items()},
        }


def _group_path(parent: Path | None, places: Places, role: str) -> Path:
    if parent is None:
        raise StackError("No control group can be made here.", hint="It takes write access to the kernel's cgroups.")
    return parent / f"tocsin-{places.run_id}-{role}"
