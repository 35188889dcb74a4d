"""Logstash and Kibana are not run by these tests: their files are compared with what their documentation knows.

Options are those of the plugins' reference pages for Logstash 8.19, saved objects those of Kibana's export format.
"""

import json
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

STACK = Path(__file__).resolve().parents[3] / "stacks" / "reference"
PIPELINES = sorted((STACK / "logstash" / "pipeline").glob("*.conf"))
COMMON = {"id", "enable_metric", "add_field", "add_tag", "remove_field", "remove_tag", "tags", "type", "codec"}
COMMON |= {"periodic_flush"}
OPTIONS = {
    ("input", "file"): "check_archive_validity close_older delimiter discover_interval exclude exit_after_read "
    "file_chunk_count file_chunk_size file_completed_action file_completed_log_path file_sort_by file_sort_direction "
    "ignore_older max_open_files mode path sincedb_clean_after sincedb_path sincedb_write_interval start_position "
    "stat_interval ecs_compatibility",
    ("input", "dead_letter_queue"): "clean_consumed commit_offsets path pipeline_id sincedb_path start_timestamp",
    ("filter", "json"): "ecs_compatibility skip_on_invalid_json source tag_on_failure target",
    ("filter", "mutate"): "convert copy gsub join lowercase merge coerce rename replace split strip update uppercase "
    "capitalize tag_on_failure",
    ("filter", "ruby"): "code init path script_params tag_on_exception",
    ("filter", "fingerprint"): "base64encode concatenate_sources concatenate_all_fields ecs_compatibility key method "
    "source target",
    ("output", "elasticsearch"): "action api_key bulk_path ca_trusted_fingerprint cacert cloud_auth cloud_id "
    "compression_level custom_headers data_stream data_stream_auto_routing data_stream_dataset data_stream_namespace "
    "data_stream_sync_fields data_stream_type dlq_custom_codes dlq_on_failed_indexname_interpolation doc_as_upsert "
    "document_id document_type ecs_compatibility failure_type_logging_whitelist healthcheck_path hosts "
    "http_compression ilm_enabled ilm_pattern ilm_policy ilm_rollover_alias index silence_errors_in_log "
    "manage_template parameters parent password path pipeline pool_max pool_max_per_route proxy resurrect_delay "
    "retry_initial_interval retry_max_interval retry_on_conflict routing script script_lang script_type "
    "script_var_name scripted_upsert sniffing sniffing_delay sniffing_path ssl_enabled template template_api "
    "template_name template_overwrite timeout upsert user validate_after_inactivity version version_type",
}
SETTINGS = {
    "api.http.host", "api.http.port", "pipeline.ecs_compatibility", "pipeline.ordered", "queue.type",
    "queue.max_bytes", "queue.checkpoint.writes", "queue.drain", "dead_letter_queue.max_bytes",
    "path.dead_letter_queue", "pipeline.id", "path.config", "pipeline.workers", "dead_letter_queue.enable",
}  # fmt: skip
_TOKEN = re.compile(
    r"""\s*(?:\#[^\n]*|(?P<text>"[^"]*"|'[^']*')|(?P<regex>/(?:\\.|[^/\n])+/)|(?P<arrow>=>)|(?P<sign>[{}\[\](),]|[!=~<>]+)"""
    r"|(?P<word>[A-Za-z0-9_@.-]+))"
)


def tokens(text):
    place, found = 0, []
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        assert match, f"not understood: {text[place : place + 60]!r}"
        place = match.end()
        if match.lastgroup:
            found.append((match.lastgroup, match.group(match.lastgroup)))
    return found


def plugins(text):
    """Return (section, plugin, {option: value's text}) of each plugin of a pipeline; braces must close."""
    stack, found, read = [], [], tokens(text)
    for number, (kind, token) in enumerate(read):
        if token == "{":
            before = read[number - 1]
            name = before[1] if before[0] == "word" and before[1] != "else" else ""
            value = number > 1 and (before[0] == "arrow" or read[number - 2][0] == "arrow")
            sections = [each for each in stack if each in ("input", "filter", "output")]
            opened = "value" if value else name if not sections else "plugin" if name else "branch"
            if opened == "plugin":
                opened = (sections[0], name, {})
                found.append(opened)
            stack.append(opened)
        elif token == "}":
            assert stack, "a brace closes what none opened"
            stack.pop()
        elif kind == "arrow" and isinstance(stack[-1], tuple):
            stack[-1][2][read[number - 1][1]] = read[number + 1][1].strip("\"'")
    assert stack == [], "a brace is not closed"
    return found


def undocumented(text):
    known = {key: COMMON | set(options.split()) for key, options in OPTIONS.items()}
    return [
        f"{section} {name}: {option}"
        for section, name, options in plugins(text)
        for option in options or {"": ""}
        if option not in known.get((section, name), set()) and (option or (section, name) not in known)
    ]


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.stem)
def test_pipelines_hold_only_documented_options(path):
    assert plugins(path.read_text())
    assert undocumented(path.read_text()) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('input { file { path => "/a" } }', []),
        ('input { file { pth => "/a" } }', ["input file: pth"]),
        ('filter { if [a] { grok { match => { "m" => "%{X}" } } } }', ["filter grok: match"]),
        (
            'output { if [a] =~ /\\A{x}/ { elasticsearch { hosts => ["h"] hots => 1 } } }',
            ["output elasticsearch: hots"],
        ),
    ],
)
def test_an_undocumented_option_is_found(text, found):
    assert undocumented(text) == found


def test_an_open_brace_is_found():
    with pytest.raises(AssertionError, match="not closed"):
        plugins("input { file { }")


def options(file, section, name):
    text = (STACK / "logstash" / "pipeline" / file).read_text()
    return [told for where, plugin, told in plugins(text) if (where, plugin) == (section, name)]


def test_the_pipeline_keeps_the_shippers_contract():
    (source,) = options("requests.conf", "input", "file")
    stack = YAML(typ="safe", pure=True).load((STACK / "stack.yaml").read_text())
    assert source["path"] == "/var/log/ml-inference/" + Path(stack["signals"]["logs"]["files"]).name
    assert (source["mode"], source["start_position"]) == ("tail", "beginning")
    assert source["sincedb_path"].startswith("/usr/share/logstash/data/")
    assert source["stat_interval"] == "500 ms"  # a duration as the reference writes it
    for file in ("requests.conf", "refused.conf"):
        (target,) = options(file, "output", "elasticsearch")
        assert target["action"] == "create" and "[@metadata][id]" in target["document_id"]
        assert (target["manage_template"], target["data_stream"]) == ("false", "false")
    text = (STACK / "logstash/pipeline/requests.conf").read_text()
    assert '"ml-logs-%{+YYYY.MM.dd}" "[@metadata][id]" => "%{request_id}"' in text
    assert "grok" not in text and "dissect" not in text


def test_what_must_survive_lies_on_the_volume():
    yaml = YAML(typ="safe", pure=True)
    settings = yaml.load((STACK / "logstash/config/logstash.yml").read_text())
    pipelines = yaml.load((STACK / "logstash/config/pipelines.yml").read_text())
    assert set(settings) | {key for pipeline in pipelines for key in pipeline} <= SETTINGS
    assert settings["queue.type"] == "persisted"
    enabled = {pipeline["pipeline.id"]: pipeline["dead_letter_queue.enable"] for pipeline in pipelines}
    assert enabled == {"requests": True, "refused": False}
    (letters,) = options("refused.conf", "input", "dead_letter_queue")
    assert (letters["pipeline_id"], letters["path"]) == ("requests", settings["path.dead_letter_queue"])
    compose = yaml.load((STACK / "compose.yaml").read_text())
    volumes = compose["services"]["shipper"]["volumes"]
    assert "logstash-data:/usr/share/logstash/data" in volumes
    assert {Path(pipeline["path.config"]).name for pipeline in pipelines} == {path.name for path in PIPELINES}


def test_the_exporter_asks_for_the_ids_that_the_pipeline_gives():
    from exporters import logstash

    text = (STACK / "logstash/pipeline/requests.conf").read_text()
    for name in (logstash.INPUT, logstash.OUTPUT, logstash.UNPARSED):
        assert f'id => "{name}"' in text


OBJECTS = [json.loads(line) for line in (STACK / "kibana/saved-objects.ndjson").read_text().splitlines()]
TEMPLATES = {"ml-logs": "index-template.json", "ml-unparsed": "unparsed-template.json"}


def test_saved_objects_are_data_views_and_searches_that_refer_to_each_other():
    views = {each["id"]: each["attributes"] for each in OBJECTS if each["type"] == "index-pattern"}
    assert {name: view["title"] for name, view in views.items()} == {name: f"{name}-*" for name in TEMPLATES}
    searches = [each for each in OBJECTS if each["type"] == "search"]
    assert len(searches) == 2 and len(OBJECTS) == 4
    for search in searches:
        (reference,) = search["references"]
        source = json.loads(search["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
        assert source["indexRefName"] == reference["name"] and reference["id"] in views
        mapping = json.loads((STACK / "elasticsearch" / TEMPLATES[reference["id"]]).read_text())
        fields = set(mapping["template"]["mappings"]["properties"])
        assert set(search["attributes"]["columns"]) <= fields
        assert {name for name, _ in search["attributes"]["sort"]} <= fields
        assert set(re.findall(r"(\w+) :", source["query"]["query"])) <= fields
        assert views[reference["id"]]["timeFieldName"] in fields
