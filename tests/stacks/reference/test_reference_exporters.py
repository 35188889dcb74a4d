"""The exporters: DCGM's names and units for real and simulated GPUs, and rsyslog's statistics."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry


class FakeNvml:
    """Stands in for pynvml: two devices, of which the second supports little."""

    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0
    NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_VOLATILE_ECC, nvmlEventTypeXidCriticalError = 1, 0, 8  # noqa: N815
    nvmlMemory_v2 = 2  # noqa: N815

    class NVMLError(Exception):
        pass

    def __init__(self, devices=2, xids=()):
        self.devices, self.xids = devices, list(xids)

    def nvmlInit(self):  # noqa: N802
        if self.devices is None:
            raise self.NVMLError("no driver")

    def nvmlDeviceGetTemperature(self, handle, sensor):  # noqa: N802
        if handle == "h1":
            raise self.NVMLError("not supported")
        return 55

    def nvmlEventSetWait_v2(self, events, timeout_ms):  # noqa: N802
        if not self.xids:
            raise self.NVMLError("timeout")
        return SimpleNamespace(device="h1", eventData=self.xids.pop(0))

    def __getattr__(self, name):
        answers = {
            "nvmlDeviceGetCount": self.devices,
            "nvmlDeviceGetName": b"NVIDIA X",
            "nvmlDeviceGetClockInfo": 1500,
            "nvmlDeviceGetPowerUsage": 70_500,
            "nvmlDeviceGetTotalEnergyConsumption": 123_456,
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=42, memory=10),
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=3 * 2**30, free=13 * 2**30, reserved=256 * 2**20),
            "nvmlDeviceGetTotalEccErrors": 0,
            "nvmlDeviceGetPcieReplayCounter": 0,
            "nvmlDeviceGetCurrentClocksThrottleReasons": 0,
            "nvmlEventSetCreate": "events",
            "nvmlDeviceRegisterEvents": None,
        }
        if name == "nvmlDeviceGetHandleByIndex":
            return lambda index: f"h{index}"
        if name == "nvmlDeviceGetUUID":
            return lambda handle: f"GPU-{handle}"
        return lambda *_, **__: answers[name]


def gpu_values(samples, now_s=1000.0):
    from exporters.gpu import GpuCollector

    registry = CollectorRegistry()
    registry.register(GpuCollector(lambda: samples, now=lambda: now_s))
    found = {}
    for family in registry.collect():
        for sample in family.samples:
            found[sample.name, sample.labels["gpu"]] = (sample.value, sample.labels)
    return found


def test_real_devices_in_dcgm_units():
    from exporters.nvml import open_reader

    reader = open_reader(FakeNvml(xids=[79]))
    values = gpu_values(reader.read())
    assert values["DCGM_FI_DEV_FB_USED", "0"][0] == 3072
    assert values["DCGM_FI_DEV_FB_RESERVED", "0"][0] == 256
    assert values["DCGM_FI_DEV_POWER_USAGE", "0"][0] == 70.5
    assert values["DCGM_FI_DEV_GPU_UTIL", "1"][0] == 42
    assert ("DCGM_FI_DEV_GPU_TEMP", "0") in values and ("DCGM_FI_DEV_GPU_TEMP", "1") not in values
    assert [values["DCGM_FI_DEV_XID_ERRORS", gpu][0] for gpu in "01"] == [0, 79]
    assert gpu_values(reader.read())["DCGM_FI_DEV_XID_ERRORS", "1"][0] == 79
    assert {labels["simulated"] for _, labels in values.values()} == {"false"}
    assert values["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "0"][1]["modelName"] == "NVIDIA X"


@pytest.mark.parametrize("devices", [None, 0])
def test_without_a_device_there_is_no_reader(devices):
    from exporters.nvml import open_reader

    assert open_reader(FakeNvml(devices)) is None


def test_simulated_devices_are_labelled_healthy_and_repeatable():
    from exporters.simulated import Simulator

    runs = []
    for _ in range(2):
        simulator = Simulator(2, first=1, now=lambda: 990.0)
        runs.append([simulator.read() for _ in range(500)])
    assert runs[0] == runs[1]
    values = gpu_values(runs[0][-1])
    assert {gpu for _, gpu in values} == {"1", "2"}
    assert {labels["simulated"] for _, labels in values.values()} == {"true"}
    assert values["gpu_sample_age_seconds", "1"][0] == 10.0
    for sample in (sample for samples in runs[0] for sample in samples):
        read = sample.values
        assert 40 <= read["DCGM_FI_DEV_GPU_TEMP"] <= 70 and read["DCGM_FI_DEV_XID_ERRORS"] == 0
        memory = (read[f"DCGM_FI_DEV_FB_{part}"] for part in ("USED", "FREE", "RESERVED"))
        assert sum(memory) == 16384


def line(name, **fields):
    return "Sun Nov 22 15:30:12 2026: " + json.dumps({"name": name, **fields}) + "\n"


def output(success, failures=0, **fields):
    return line("omelasticsearch", **{"response.success": success, "failed.checkConn": failures, **fields})


def shipper_values(path):
    from exporters.shipper import ShipperCollector

    registry = CollectorRegistry()
    registry.register(ShipperCollector(path))
    samples = [sample for family in registry.collect() for sample in family.samples]
    return {(sample.name, sample.labels.get("queue")): sample.value for sample in samples}


def test_the_newest_statistics_count(tmp_path):
    path = tmp_path / "stats.json"
    old = output(1) + line("ship", enqueued=1, size=9)
    new = output(7, **{"response.duplicate": 2, "response.badargument": 3, "failed.http": 1}) + line(
        "ship", enqueued=12, size=4
    )
    path.write_text(old + "no JSON\nSun: {}\nSun: [1]\n" + new + line("answer", size=1) + '{"name": "ship", "size": 99')
    values = shipper_values(path)
    assert values["shipper_submitted_total", None] == 12
    assert values["shipper_processed_total", None] == 9
    assert values["shipper_failed_total", None] == 3
    assert values["shipper_request_failures_total", None] == 1
    assert (values["shipper_queue_size", "ship"], values["shipper_queue_size", "answer"]) == (4, 1)
    assert values["shipper_suspended", None] == 0
    assert values["shipper_stats_timestamp_seconds", None] == pytest.approx(path.stat().st_mtime)
    assert 0 <= values["shipper_stats_age_seconds", None] < 60


def test_without_a_file_there_are_no_zeros(tmp_path):
    assert shipper_values(tmp_path / "none.json") == {}


def test_only_the_tail_of_a_long_file_is_read(tmp_path):
    path = tmp_path / "stats.json"
    path.write_text(line("ship", enqueued=1) + (output(5) * 2000))
    values = shipper_values(path)
    assert ("shipper_submitted_total", None) not in values and values["shipper_processed_total", None] == 5


@pytest.mark.parametrize(
    ("history", "suspended"),
    [
        ([(5, 0)], False),
        ([(5, 0), (5, 1)], True),
        ([(5, 1), (5, 2), (5, 2), (5, 2), (5, 2), (5, 2)], True),
        ([(5, 2), (5, 2), (5, 2), (5, 2), (5, 2), (5, 2)], False),
        ([(5, 1), (5, 2), (9, 2)], False),
        ([(5, 7), (0, 0)], False),
    ],
)
def test_suspended_means_no_answer_lately(history, suspended):
    from exporters.shipper import is_suspended

    outputs = [{"response.success": success, "failed.checkConn": failures} for success, failures in history]
    assert is_suspended(outputs) is suspended


@pytest.mark.parametrize(
    ("history", "behind_s"),
    [
        ([(5, 5)], 0),
        ([(5, 5), (9, 5), (12, 5)], 2),
        ([(5, 0), (9, 3), (12, 9)], 1),
        ([(5, 5), (0, 5)], 0),
        ([(5, 0), (9, 0)], 2),
    ],
)
def test_delivered_up_to_when_as_many_had_been_read(tmp_path, history, behind_s):
    from exporters.shipper import delivered_up_to, read_stats

    path = tmp_path / "stats.json"
    path.write_text("".join(line("ship", enqueued=read) + output(there) for read, there in history))
    assert delivered_up_to(read_stats(path), path) == path.stat().st_mtime - behind_s


def test_lines_that_are_no_events_are_counted_from_the_start(tmp_path):
    path = tmp_path / "stats.json"
    path.write_text(line("lines", values={}))
    assert shipper_values(path)["shipper_unparsed_total", None] == 0
    path.write_text(line("lines", values={}) + line("lines", values={"unparsed": 3}))
    assert shipper_values(path)["shipper_unparsed_total", None] == 3


def test_folders_tell_how_full_they_are(tmp_path):
    from exporters.shipper import FolderCollector

    registry = CollectorRegistry()
    registry.register(FolderCollector({"spool": tmp_path, "none": tmp_path / "none", "all": Path("/")}))

    def value(what, folder):
        return registry.get_sample_value(f"stack_filesystem_{what}", {"folder": folder})

    assert 0 <= value("avail_bytes", "spool") <= value("size_bytes", "spool")
    assert (value("own_mount", "spool"), value("own_mount", "all"), value("own_mount", "none")) == (0, 1, None)
