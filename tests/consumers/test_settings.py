"""Settings: every source, every error with variable, value and what is expected."""

from pathlib import Path

import pytest

from consumers.client import BadConnection, consumer
from consumers.settings import KafkaSettings, Settings, SettingsError, described, load


def problems(**environment: str) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with pytest.raises(SettingsError) as caught:
            load(env_file=None)
    return caught.value.problems


def test_without_any_setting_a_local_broker_is_meant() -> None:
    settings = load(env_file=None)
    assert settings.kafka.bootstrap == "127.0.0.1:9092"
    assert (settings.kafka.events_topics, settings.kafka.group) == (("sqm.events",), "sqm")
    assert settings.policy == ()
    assert "bootstrap" not in settings.kafka.model_fields_set


def test_flags_beat_the_environment_which_beats_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env = tmp_path / ".env"
    env.write_text(
        "SQM_KAFKA__GROUP=file\nSQM_API__PORT=1\nSQM_CLOCK=event\n# SQM_UNKNOWN is nobody's business\nOTHER=1\n"
    )
    monkeypatch.setenv("SQM_KAFKA__GROUP", "environment")
    monkeypatch.setenv("SQM_API__PORT", "2")
    settings = load(env_file=env, api={"port": 3})
    assert (settings.kafka.group, settings.api.port, settings.clock) == ("environment", 3, "event")


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQM_POLICY", "a.yaml, b.yaml")
    monkeypatch.setenv("SQM_KAFKA__EVENTS_TOPICS", "calls,tickets,")
    settings = load(env_file=None)
    assert settings.policy == (Path("a.yaml"), Path("b.yaml"))
    assert settings.kafka.events_topics == ("calls", "tickets")


def test_the_events_topic_and_the_group_follow_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQM_KAFKA__TOPIC_PREFIX", "support")
    kafka = load(env_file=None).kafka
    assert (kafka.events_topics, kafka.group) == (("support.events",), "support")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"SQM_API__PORT": "99999"}, "SQM_API__PORT='99999': input should be less than or equal to 65535"),
        (
            {"SQM_KAFKA__EVENTS_TOPICS": '["a"]'},
            "SQM_KAFKA__EVENTS_TOPICS='[\"a\"]': string should match pattern '^[A-Za-z0-9._-]{1,200}$'",
        ),
        (
            {"SQM_KAFKA__TOPIC_PREFIX": "a b"},
            "SQM_KAFKA__TOPIC_PREFIX='a b': string should match pattern '^[A-Za-z0-9._-]{1,200}$'",
        ),
        (
            {"SQM_WORKER__ACCEPT_LOSS": "sqm.events/3@1200, yes"},
            "SQM_WORKER__ACCEPT_LOSS='yes': a hole is accepted by its name, topic/partition@offset, as the halted "
            "partition gives it: sqm.events/3@1200",
        ),
        ({"SQM_CLOCK": "walls"}, "SQM_CLOCK='walls': input should be 'wall' or 'event'"),
        (
            {"SQM_KAFKA__BOOTSTRP": "x"},
            "SQM_KAFKA__BOOTSTRP: there is no such setting; did you mean SQM_KAFKA__BOOTSTRAP?",
        ),
        (
            {"SQM_KAFKA__SECURITY_PROTOCOL": "SASL_SSL"},
            "SQM_KAFKA: security_protocol SASL_SSL needs SQM_KAFKA__SASL_USERNAME",
        ),
        (
            {"SQM_KAFKA__SECURITY_PROTOCOL": "SASL_SSL", "SQM_KAFKA__SASL_USERNAME": "me"},
            "SQM_KAFKA: security_protocol SASL_SSL needs SQM_KAFKA__SASL_PASSWORD or SQM_KAFKA__SASL_PASSWORD_FILE",
        ),
        (
            {"SQM_WORKER__CHECKPOINT_SECONDS": "soon"},
            "SQM_WORKER__CHECKPOINT_SECONDS='soon': input should be a valid number, unable to parse string as a number",
        ),
    ],
)
def test_an_error_names_the_variable_its_value_and_what_is_expected(environment: dict[str, str], said: str) -> None:
    assert problems(**environment) == [said]


def test_all_errors_are_told_at_once() -> None:
    assert len(problems(SQM_API__PORT="x", SQM_CLOCK="y")) == 2


def test_a_password_is_never_shown() -> None:
    login = {"security_protocol": "SASL_PLAINTEXT", "sasl_username": "me", "sasl_password": "secret"}
    settings = load(env_file=None, kafka=login)
    assert "secret" not in repr(settings)
    assert settings.kafka.password() == "secret"


def test_a_password_may_stand_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("from a file\n")
    login = {"security_protocol": "SASL_PLAINTEXT", "sasl_username": "me", "sasl_password_file": path}
    assert KafkaSettings.model_validate(login).password() == "from a file"


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_certificates_that_cannot_be_used_are_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadConnection, match=r"ca\.pem"):
        consumer(KafkaSettings(security_protocol="SSL", ssl_cafile=path))


def test_every_setting_has_a_description() -> None:
    fields = dict(described())
    assert "SQM_KAFKA__SASL_PASSWORD" in fields
    assert len(fields) > 25
    assert [name for name, field in fields.items() if not field.description] == []
    assert all(field.description for field in Settings.model_fields.values())
