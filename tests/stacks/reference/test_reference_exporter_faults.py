"""The exporters' faults for drills, and the project's faults that turn them on: injected, seen, healed, not seen."""

import threading
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from prometheus_client import CollectorRegistry, generate_latest, make_wsgi_app

from tests.faults.fake_live import FakeLive
from tocsin.harness.core.http import call
from tocsin.harness.declarations.stack import Hook
from tocsin.harness.faults import make

KINDS = ("gpu_xid", "gpu_temperature", "gpu_throttling", "gpu_memory", "gpu_lost")
HOOKS = (*KINDS, "exporter_stale", "exporter_error")


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Exporter:
    """The GPU exporter with two simulated devices, and one that stands for a real one."""

    def __init__(self, drill=True):
        from exporters import drills, simulated
        from exporters.gpu import GpuCollector

        simulator = simulated.Simulator(2)
        real = simulated.replace(simulated.Simulator(1, first=2).read()[0], simulated=False)
        self.switches = drills.Switches(simulated.FAULTS)
        registry = CollectorRegistry()
        registry.register(GpuCollector(lambda: simulated.altered([*simulator.read(), real], self.switches.on)))
        app = make_wsgi_app(registry)
        if drill:
            app = drills.app(app, self.switches, lambda: generate_latest(registry))
        self.server = make_server("127.0.0.1", 0, app, Server, Quiet)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.live = FakeLive(f"127.0.0.1:{self.server.server_port}")
        names = {name if name in KINDS else f"{name}/node": name for name in HOOKS}
        hooks = {hook: Hook(role="node", port="http", path=f"/-/faults/{name}") for hook, name in names.items()}
        self.live.stack = self.live.stack.model_copy(update={"hooks": hooks})

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture(scope="module")
def exporter():
    exporter = Exporter()
    yield exporter
    exporter.close()


FAULTS = [
    ("gpu_xid", {"code": 79}),
    ("gpu_xid", {"gpu": 1, "code": 48}),
    ("gpu_temperature", {"celsius": 92}),
    ("gpu_throttling", {}),
    ("gpu_memory", {"share": 0.97}),
    ("gpu_memory", {}),
    ("gpu_lost", {"gpu": 1}),
    ("exporter_stale", {"role": "node"}),
    ("exporter_error", {"role": "node", "status": 503}),
]


@pytest.mark.parametrize(("kind", "params"), FAULTS)
def test_injected_it_is_seen_and_healed_it_is_not(exporter, kind, params):
    fault, live = make(kind, params), exporter.live
    fault.heal(live)
    assert fault.witness(live).state == "absent"
    fault.inject(live)
    fault.inject(live)
    assert fault.witness(live).state == "present"
    make(kind, params).heal(live)
    fault.heal(live)
    assert fault.witness(live).state == "absent"


@pytest.mark.parametrize(("kind", "params"), FAULTS)
def test_it_is_not_seen_when_its_effect_is_prevented(exporter, kind, params, monkeypatch):
    fault = make(kind, params)
    monkeypatch.setattr(exporter.switches, "turn_on", lambda *_: None)
    fault.inject(exporter.live)
    assert fault.witness(exporter.live).state == "absent"


@pytest.mark.parametrize("kind", KINDS)
def test_a_real_device_is_never_touched(exporter, kind):
    def page():
        lines = call("GET", exporter.live.at, "/metrics")[1].splitlines()
        return [line for line in lines if 'gpu="2"' in line and "age" not in line]

    params = {"gpu": 2, **({"celsius": 92} if kind == "gpu_temperature" else {})}
    fault, before = make(kind, params), page()
    fault.inject(exporter.live)
    assert fault.witness(exporter.live).state == "cannot_tell"
    assert page() == before and before
    fault.heal(exporter.live)


def test_the_other_simulated_device_stays_as_it_is(exporter):
    make("gpu_xid", {"gpu": 0}).inject(exporter.live)
    assert make("gpu_xid", {"gpu": 1}).witness(exporter.live).state == "absent"
    make("gpu_xid", {"gpu": 0}).heal(exporter.live)


WRONG = [
    ("PUT", "gpu_xid", {"gpu": 0}, 422),
    ("PUT", "gpu_xid", {"gpu": 0, "code": 0}, 422),
    ("PUT", "gpu_xid", {"gpu": 0, "code": True}, 422),
    ("PUT", "exporter_error", {"status": 200}, 422),
    ("PUT", "exporter_stale", {"a": 1}, 422),
    ("PUT", "earthquake", {}, 404),
    ("POST", "gpu_lost", {"gpu": 0}, 405),
    ("DELETE", "gpu_lost", None, 200),
]


@pytest.mark.parametrize(("method", "name", "body", "status"), WRONG)
def test_what_the_control_path_refuses(exporter, method, name, body, status):
    assert call(method, exporter.live.at, f"/-/faults/{name}", body=body)[0] == status
    assert exporter.switches.on == {}


def test_without_drills_there_is_no_such_path(monkeypatch):
    from exporters import drills

    exporter = Exporter(drill=False)
    try:
        call("PUT", exporter.live.at, "/-/faults/gpu_xid", body={"gpu": 0, "code": 79})
        assert make("gpu_xid", {}).witness(exporter.live).state == "absent"
    finally:
        exporter.close()
    monkeypatch.delenv("TOCSIN_FAULTS", raising=False)
    assert not drills.wanted()
    monkeypatch.setenv("TOCSIN_FAULTS", "1")
    assert drills.wanted()
