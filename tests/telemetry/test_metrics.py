import pytest

from restudy.telemetry.metrics import ALIASES, METRICS, dtype, metric, unit


def test_the_registry_is_the_published_table_without_id_timestamp_and_node():
    assert len(METRICS) == 91 - 3


def test_every_metric_has_a_unit_a_resolution_and_a_range():
    for name, one in METRICS.items():
        assert one.name == name
        assert one.unit in {"1", "W", "mW", "J", "B", "s", "%", "°C"}
        assert one.resolution > 0
        assert one.low < one.high


def test_a_float32_still_tells_steps_of_the_resolution_apart():
    """float32 has 24 bits: the largest value may be 2**24 steps away from 0."""
    for name, one in METRICS.items():
        if dtype(name) == "float32":
            assert max(abs(one.low), one.high) / one.resolution <= 2**24, name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("surfsara_power_usage", ("node_power_usage", "W", "gauge")),
        ("surfsara_ambient_temp", ("node_ambient_temp", "°C", "gauge")),
        ("node_power_usage", ("node_power_usage", "W", "gauge")),
        ("nvidia_gpu_power_usage_milliwatts_sum", (None, "mW", "gauge")),
        ("nvidia_gpu_power_usage_milliwatts", (None, "mW", "gauge")),
        ("node_network_receive_bytes_total_sum_delta", (None, "B", "gauge")),
        ("node_rapl_package_joules_total_sum", (None, "J", "counter")),
        ("node_filefd_allocated", (None, "1", "gauge")),
        ("node_disk_io_time_seconds_total", (None, "s", "counter")),
        ("nvidia_gpu_fanspeed_percent_2", (None, "%", "gauge")),
    ],
)
def test_unit_and_kind_follow_from_the_name(name, expected):
    known, units, kind = expected
    assert (metric(name).name, unit(name), metric(name).kind) == (known or name, units, kind)


def test_aliases_lead_to_registered_metrics():
    assert set(ALIASES.values()) <= set(METRICS)


def test_six_kilowatts_are_no_power_of_a_gpu():
    assert metric("nvidia_gpu_power_usage_milliwatts_0").high < 6_000_000
