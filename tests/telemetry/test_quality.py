import json

import numpy as np
import pandas as pd
import pytest

from restudy.telemetry import rows
from restudy.telemetry.clocks import UNKNOWN
from restudy.telemetry.occurrences import EXAMPLES, NOTHING, from_json
from restudy.telemetry.quality import RULES, Quality, Rules, apply
from restudy.telemetry.sequences import rates

POWER, LOAD, TIME = "node_power_usage", "node_load1", "node_time_seconds"
JOULES = "node_rapl_package_joules_total_sum"


def frame(time, node, **metrics) -> pd.DataFrame:
    codes, names = pd.factorize(np.asarray(node, dtype=object))
    arrays = {name: np.asarray(values, "float64") for name, values in metrics.items()}
    return rows.frame(np.asarray(time, "int64"), rows.ordered(codes, list(names)), arrays)


def counted(made: pd.DataFrame, *, interval: int = 30, rules: Rules | None = None):
    """Clean; give the samples and the counts but those of unknown values."""
    metrics = [name for name in made.columns if name not in {"time", "node"}]
    clean, quality = apply(made, metrics, interval, rules or Rules())
    return clean, {key: n for key, n in quality.counts.items() if key[0] != "unknown"}, quality


def test_good_samples_pass_unchanged():
    made = frame([0, 30, 60, 0, 30], ["a"] * 3 + ["b"] * 2, **{POWER: [90, 91, 92, 93, 94]})
    clean, counts, quality = counted(made)
    pd.testing.assert_frame_equal(clean, made)
    assert counts == {}
    assert quality.rows == 5


def test_rows_out_of_order_are_sorted_and_counted():
    made = frame([60, 30, 90, 0, 30], ["a", "a", "a", "a", "b"], **{POWER: [3, 2, 4, 1, 9]})
    clean, counts, quality = counted(made)
    assert clean[POWER].tolist() == [1, 2, 3, 4, 9]
    assert counts == {("unordered", "time"): 2}
    assert [one.time for one in quality.examples["unordered", "time"]] == [0, 30]


def test_rows_without_time_or_node_are_left_out():
    made = frame([0, UNKNOWN, 30, 60], ["a", "a", "a", None], **{POWER: [1, 2, 3, 4]})
    clean, counts, _ = counted(made)
    assert clean[POWER].tolist() == [1, 3]
    assert counts == {("unnamed", "time"): 2}


def test_rows_of_unknown_nodes_are_left_out():
    made = frame([0, 0, 0], ["a", "b", "c"], **{POWER: [1, 2, 3]})
    clean, counts, _ = counted(made, rules=Rules(nodes=("a", "c")))
    assert clean["node"].tolist() == ["a", "c"]
    assert clean["node"].cat.categories.tolist() == ["a", "c"]
    assert counts == {("unknown node", "time"): 1}


def test_a_clock_that_is_off_is_counted():
    made = frame([0, 30, 60, 90], ["a"] * 4, **{TIME: [0, 95, 0.4, np.nan]})
    made["time"] = (made["time"] + pd.Timedelta(seconds=1_600_000_000)).astype("datetime64[s]")
    made[TIME] += 1_600_000_000
    made.loc[2, TIME] += 60  # within the tolerance of a minute
    _, counts, quality = counted(made)
    assert counts == {("clock", TIME): 1}
    assert quality.examples["clock", TIME][0].value == 1_600_000_095


@pytest.mark.parametrize(
    ("metric", "value", "rule"),
    [
        (POWER, -1, "missing"),
        (POWER, -2, "range"),
        (POWER, 5000.5, "range"),
        (POWER, np.inf, "range"),
        ("node_ambient_temp", -1, None),  # a cold morning
        ("node_ambient_temp", 61, "range"),
        ("nvidia_gpu_power_usage_milliwatts_0", 6_000_000, "range"),
        ("nvidia_gpu_power_usage_milliwatts_0", 1_000_000, None),
    ],
)
def test_impossible_values_become_unknown(metric, value, rule):
    made = frame([0, 30], ["a", "a"], **{metric: [20, value]})
    clean, counts, quality = counted(made)
    if rule is None:
        assert clean[metric].tolist() == [20, value]
        assert quality.counts == {}
        return
    assert clean[metric].isna().tolist() == [False, True]
    assert counts == {(rule, metric): 1}
    assert quality.counts["unknown", metric] == 1
    assert quality.examples[rule, metric][0].value == value


def test_repeated_rows_are_dropped_and_conflicts_counted_by_metric():
    made = frame(
        [0, 0, 30, 30, 30, 60],
        ["a"] * 6,
        **{POWER: [1, 1, 2, 3, 2, 4], LOAD: [5, 5, 6, np.nan, 6, 7]},
    )
    clean, counts, _ = counted(made)
    assert clean[POWER].tolist() == [1, 3, 4]
    assert clean[LOAD].tolist() == [5, 6, 7]
    assert counts == {("duplicate", "time"): 3, ("conflict", POWER): 1}


def test_an_impossible_value_does_not_win_against_a_good_one():
    clean, counts, _ = counted(frame([0, 0], ["a", "a"], **{POWER: [9000, 200]}))
    assert clean[POWER].tolist() == [200]
    assert ("conflict", POWER) not in counts


def test_gaps_are_counted_and_not_filled():
    made = frame([0, 30, 75, 121, 1021, 5, 5000], ["a"] * 5 + ["b"] * 2, **{POWER: range(7)})
    clean, counts, quality = counted(made)
    assert len(clean) == 7
    assert counts == {("gap", "time"): 3}  # 46 s, 900 s and 4,995 s; 45 s is 1.5 intervals
    assert quality.amounts["gap", "time"] == (46 - 30) + (900 - 30) + (4995 - 30)


def test_a_stuck_sensor_is_unknown_where_others_move():
    n = 200
    load = np.arange(n) % 7
    power = np.arange(n) % 5 + 100.0
    power[50:150] = 123.0
    made = frame(
        np.tile(30 * np.arange(n), 2),
        ["a"] * n + ["b"] * n,
        **{POWER: [*power, *power], LOAD: [*load, *np.ones(n)]},
    )
    rules = Rules(stuck_hours={"W": 98 * 30 / 3600})
    clean, counts, quality = counted(made, rules=rules)
    unknown = clean[POWER].isna().to_numpy()
    assert counts == {("stuck", POWER): 1}  # node b is idle: nothing moves
    assert unknown[50:150].all()
    assert unknown.sum() == 100
    assert quality.amounts["stuck", POWER] == 100 * 30
    assert quality.examples["stuck", POWER][0].time == 50 * 30
    _, counts, _ = counted(made, rules=Rules(stuck_hours={"W": 99 * 30 / 3600}))
    assert counts == {}


def test_zeros_and_clocks_are_not_stuck():
    n = 50
    made = frame(
        30 * np.arange(n),
        ["a"] * n,
        **{
            "nvidia_gpu_power_usage_milliwatts_0": np.zeros(n),
            "node_boot_time_seconds": np.full(n, 5.0),
            LOAD: np.arange(n),
        },
    )
    _, counts, _ = counted(made, rules=Rules(stuck_hours={"mW": 0.1, "s": 1e9}))
    assert counts == {}


def test_resets_of_counters_are_counted_across_unknown_values():
    made = frame(30 * np.arange(6), ["a"] * 3 + ["b"] * 3, **{JOULES: [10, np.nan, 5, 1, 2, 0.5]})
    _, counts, quality = counted(made)
    assert counts == {("reset", JOULES): 2}
    assert [one.value for one in quality.examples["reset", JOULES]] == [5, 0.5]


def test_rates_follow_prometheus():
    made = frame(
        [0, 30, 60, 100, 0, 30, 60],
        ["a"] * 4 + ["b"] * 3,
        **{JOULES: [10, 40, 6, 6, 100, np.nan, 200]},
    )
    np.testing.assert_array_equal(
        rates(made, JOULES), [np.nan, 1.0, 0.2, 0.0, np.nan, np.nan, np.nan]
    )


def test_the_increase_of_a_counter_is_that_of_the_truth_through_resets():
    """A counter of known steps that is reset at 0 when its node starts anew."""
    rng = np.random.default_rng(0)
    steps = rng.integers(1, 100, 500)
    resets = rng.random(500) < 0.05
    value, values = 0, []
    for step, reset in zip(steps, resets, strict=True):
        value = step if reset else value + step
        values.append(value)
    made = frame(30 * np.arange(500), ["a"] * 500, **{JOULES: values})
    found = rates(made, JOULES)[1:]
    # where a reset is not seen, because the value after is no lower, the rate is their difference
    seen = np.diff(values) < 0
    plain = ~resets[1:] | seen
    np.testing.assert_allclose(found[plain] * 30, steps[1:][plain])


def test_every_rule_was_planted_above_and_is_in_the_table():
    everything = Quality({(rule, "time"): 1 for rule in RULES}, {}, {}, 0).table()
    assert everything["rule"].tolist() == list(RULES)
    assert everything["what is done"].str.endswith(".").all()


def test_local_clock_changes_are_counted():
    made = frame([0, 30], ["a", "a"], **{POWER: [1, 2]})
    made.attrs["clock"] = {"ambiguous": 2, "shifted": 0}
    _, counts, _ = counted(made)
    assert counts == {("ambiguous", "time"): 2}


def dirty(rng: np.random.Generator, nodes: int = 6, n: int = 300) -> pd.DataFrame:
    time = np.tile(30 * np.arange(n), nodes)
    power = rng.integers(-1, 6000, nodes * n).astype("float64")
    made = frame(time, np.repeat([f"n{i}" for i in range(nodes)], n), **{POWER: power})
    return made[rng.random(len(made)) < 0.9].reset_index(drop=True)


def test_quality_of_nodes_adds_up_in_any_order():
    made = dirty(np.random.default_rng(1))
    _, whole = apply(made, [POWER], 30, Rules())
    pieces = [
        apply(made[made["node"] == node].reset_index(drop=True), [POWER], 30, Rules())[1]
        for node in made["node"].cat.categories
    ]
    assert sum(pieces, NOTHING) == whole
    assert sum(reversed(pieces), NOTHING) == whole
    assert len(whole.examples["range", POWER]) == EXAMPLES
    bad = made[(made[POWER] > 5000)].sort_values(["time", "node"])
    assert [one.value for one in whole.examples["range", POWER]] == bad[POWER][:EXAMPLES].tolist()


def test_quality_survives_json():
    _, quality = apply(dirty(np.random.default_rng(2)), [POWER], 30, Rules())
    text = json.dumps(quality.to_json(), allow_nan=False)
    again = from_json(json.loads(text))
    assert again.table().equals(quality.table())
    assert json.dumps(again.to_json()) == text


def test_shuffled_rows_are_cleaned_to_the_same_bits():
    rng = np.random.default_rng(3)
    made = dirty(rng)
    made = pd.concat([made, made.sample(50, random_state=1)], ignore_index=True)
    truth, _ = apply(made, [POWER], 30, Rules())
    for _ in range(3):
        shuffled = made.sample(frac=1, random_state=int(rng.integers(1e9))).reset_index(drop=True)
        pd.testing.assert_frame_equal(apply(shuffled, [POWER], 30, Rules())[0], truth)
