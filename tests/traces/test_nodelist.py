"""Slurm node lists: forms that Slurm prints, in the order of ``scontrol show hostnames``."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restudy.traces.nodelist import MAX_NODES, NodeListError, compress, count, expand

# left: as Slurm prints it; right: as `scontrol show hostnames` lists it (Slurm manual, hostlists)
FORMS = {
    "r15n11": "r15n11",
    "r10n[13,19,25],r11n[19,20]": "r10n13 r10n19 r10n25 r11n19 r11n20",
    "cpn-f13-04-[01-02]": "cpn-f13-04-01 cpn-f13-04-02",
    "cpn-f15-[06,08,11-12]": "cpn-f15-06 cpn-f15-08 cpn-f15-11 cpn-f15-12",
    "cpn-f13-35-[01-02],cpn-f13-36-02,cpn-f13-37-01": (
        "cpn-f13-35-01 cpn-f13-35-02 cpn-f13-36-02 cpn-f13-37-01"
    ),
    "r[1-2]n[3-4]": "r1n3 r1n4 r2n3 r2n4",
    "rack[0-1]-[8-10]-ib": ("rack0-8-ib rack0-9-ib rack0-10-ib rack1-8-ib rack1-9-ib rack1-10-ib"),
    "n[098-101]": "n098 n099 n100 n101",
    "n[9,010]": "n9 n010",
    "[1-3]": "1 2 3",
    "nid00[0012-0014].cluster": "nid000012.cluster nid000013.cluster nid000014.cluster",
    "n[2,1]": "n2 n1",
    "  a1 , b2\n": "a1 b2",
}


@pytest.mark.parametrize(("text", "names"), FORMS.items())
def test_names_and_order_of_every_form(text, names):
    assert expand(text) == tuple(names.split())
    assert count(text) == len(names.split())


@pytest.mark.parametrize("text", ["None assigned", "(null)", "", "  ", "none", "None", "Unknown"])
def test_no_node_was_assigned(text):
    assert expand(text) == ()
    assert count(text) == 0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("r1n[1-3", r"'\[' at character 4"),
        ("r1n1-3]", r"'\]' at character 7"),
        ("r1n[]", r"'\[' at character 4"),
        ("r1n[3-1]", "'3-1'"),
        ("r1n[1-]", "'1-'"),
        ("r1n[1,,2]", "''"),
        ("r1n[1-2-3]", "'1-2-3'"),
        ("r[1-[2-3]]", r"'\[' at character 2"),
        ("bgl[000x133]", r"'\[' at character 4"),
        ("r1,,r2", "',' at character 4"),
        ("r1,", "its end at character 4"),
        (",r1", "',' at character 1"),
        ("r1 r2", "' ' at character 3"),
        ("r1;r2", "';' at character 3"),
        ("nöde1", "'ö' at character 2"),
        ("n[١-٣]", r"'\[' at character 2"),
        ("n[0-999999999]", "more than 65,536 nodes"),
        ("r[0-999]n[0-999]x[0-999]", "more than 65,536 nodes"),
        ("n[1-9999999999999999999999]", "'1-9999999999999999999999'"),
    ],
)
def test_a_malformed_list_is_refused_with_what_was_found(text, found):
    for read in (expand, count):
        with pytest.raises(NodeListError, match=found) as caught:
            read(text)
        assert "expected" in str(caught.value)


def test_the_cap_is_the_largest_list_that_is_read():
    assert count(f"n[1-{MAX_NODES}]") == MAX_NODES
    with pytest.raises(NodeListError):
        count(f"n[0-{MAX_NODES}]")
    with pytest.raises(NodeListError):
        count(f"n[1-{MAX_NODES}],m")


def test_an_absurd_list_is_refused_at_once():
    # a reader that expands first, or that looks ahead at each comma, needs minutes
    started = time.perf_counter()
    with pytest.raises(NodeListError):
        expand("n[0-999999999]")
    with pytest.raises(NodeListError):
        expand(",".join(["n1"] * 60_000) + "[")
    assert time.perf_counter() - started < 2


@given(text=st.text(st.sampled_from("rn019[]-,. +é\0"), max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        names = expand(text)
    except NodeListError:
        return
    assert len(names) == count(text)
    assert all(name and not set(name) & set("[], ") for name in names)


NAMES = st.builds(
    lambda prefix, number, width: f"{prefix}{number:0{width}d}" if width else prefix,
    st.sampled_from(["n", "r1n", "cpn-f13-04-", "gpu", "login", "a.b", "x10y"]),
    st.integers(0, 1200),
    st.integers(0, 5),
)


@given(nodes=st.lists(NAMES, min_size=1, max_size=60))
def test_compress_and_expand_are_inverse(nodes):
    names = expand(compress(nodes))
    assert sorted(names) == sorted(set(nodes))


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        ([], ""),
        (["n1"], "n1"),
        (["n1", "n2", "n3", "n5"], "n[1-3,5]"),
        (["n01", "n02", "n1"], "n[1,01-02]"),
        (["n9", "n10", "n11"], "n[9-11]"),
        (["n099", "n100"], "n[099-100]"),
    ],
)
def test_compress_writes_what_slurm_would(nodes, text):
    assert compress(nodes) == text
