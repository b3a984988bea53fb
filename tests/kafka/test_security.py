"""TLS and SASL against a broker that asks for them."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from consumers import topics
from consumers.broker import Broker, free_ports
from consumers.policies import FixedPolicies
from consumers.settings import KafkaSettings, load
from consumers.worker import Worker
from tests.kafka.traffic import lives, policies, read_so_far, replicated, running, send, until

pytestmark = pytest.mark.kafka

LOGIN = "org.apache.kafka.common.security"


def certificate(folder: Path) -> tuple[str, str]:
    """A key and a certificate for localhost, signed by itself; as PEM, and as `ca.pem` in the folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM).decode()
    (folder / "ca.pem").write_text(pem)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), pem


def line(pem: str) -> str:
    """As a value in a properties file."""
    return pem.strip().replace("\n", "\\n")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A broker with a SASL_SSL listener beside its plain one: what a client needs for it."""
    folder = tmp_path_factory.mktemp("guarded")
    key, chain = certificate(folder)
    plain, safe = free_ports()
    controller, _ = free_ports()
    properties = {
        "listeners": f"PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{controller},SAFE://127.0.0.1:{safe}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{plain},SAFE://localhost:{safe}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SAFE:SASL_SSL",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "listener.name.safe.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "listener.name.safe.plain.sasl.jaas.config": f'{LOGIN}.plain.PlainLoginModule required user_me="secret";',
        "listener.name.safe.scram-sha-512.sasl.jaas.config": f"{LOGIN}.scram.ScramLoginModule required;",
        "listener.name.safe.ssl.keystore.type": "PEM",
        "listener.name.safe.ssl.keystore.key": line(key),
        "listener.name.safe.ssl.keystore.certificate.chain": line(chain),
    }
    users = ["--add-scram", "SCRAM-SHA-512=[name=me,password=secret]"]
    with Broker(folder / "kafka", properties=properties, format_arguments=users):
        yield {
            "bootstrap": f"localhost:{safe}",
            "security_protocol": "SASL_SSL",
            "ssl_cafile": folder / "ca.pem",
            "sasl_username": "me",
            "sasl_password": "secret",
            "partitions": 1,
            "retry_pause_seconds": 0.5,
        }


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
async def test_a_worker_works_over_tls_with_a_password(guarded: dict[str, Any], mechanism: str, tmp_path: Path) -> None:
    name = mechanism.lower()
    kafka = guarded | {"sasl_mechanism": mechanism, "topic_prefix": name, "group": name}
    own = load(env_file=None, data_dir=tmp_path, kafka=kafka, worker={"checkpoint_seconds": 0.1})
    await topics.ensure(own.kafka)
    async with replicated(own) as replica, running(Worker(own, FixedPolicies(policies())).run()):
        await send(own, lives(20))
        await until(lambda: read_so_far(replica) == len(lives(20)))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sasl_password": "wrong"}, "(?i)authentication"),
        ({"ssl_cafile": None}, "(?i)certificate"),
        ({"security_protocol": "PLAINTEXT"}, "(?i)unable connect"),
    ],
)
async def test_a_login_that_fails_is_told_with_the_address(
    guarded: dict[str, Any], wrong: dict[str, Any], said: str
) -> None:
    kafka = KafkaSettings.model_validate(guarded | wrong)
    told: list[str] = []
    async with running(topics.ensure(kafka, told.append)):
        await until(lambda: bool(told))
    assert guarded["bootstrap"] in told[0]
    assert re.search(said, told[0]), told[0]
