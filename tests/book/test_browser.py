"""The built book in headless Chromium, opened from a folder, with every name unresolvable."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

ROOT = Path(__file__).parents[2]
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
LOCAL = {"file", "data", "blob", "about", "chrome"}  # chrome: its own empty tab


def missing(reason: str) -> None:
    """Skip, unless RESTUDY_HTML says that the book must be there."""
    if "RESTUDY_HTML" in os.environ:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def html() -> Path:
    folder = Path(os.environ.get("RESTUDY_HTML", ROOT / "build" / "html")).resolve()
    if not (folder / "index.html").exists():
        missing(f"no built book in {folder}: run `make book`")
    return folder


@pytest.fixture(scope="module")
def pages(html: Path) -> list[Path]:
    return [html / "index.html", *sorted((html / "book").rglob("*.html"))]


@pytest.fixture(scope="module")
def driver(html: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator["webdriver.Chrome"]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    chromedriver = shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        missing("no chromium or chromedriver on this machine")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=chromedriver)
    browser = webdriver.Chrome(options=options, service=service)
    yield browser
    browser.quit()


@pytest.fixture
def open_page(driver: "webdriver.Chrome") -> Callable[..., "webdriver.Chrome"]:
    def open_(path: Path, *, theme: str = "light", end: str = ""):
        resize(driver, 1400)
        driver.get("about:blank")  # a new fragment alone would not load the page again
        driver.get(path.as_uri() + end)
        driver.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)
        return driver

    return open_


@dataclass(frozen=True)
class Visit:
    """What one visit to a page showed."""

    page: Path
    requests: list[str]
    errors: list[str]
    images: list[tuple[str, str]]  # address, alternative text
    links: list[str]
    phone_width: int


@pytest.fixture(scope="module")
def visits(driver, pages) -> list[Visit]:
    driver.get_log("performance")
    driver.get_log("browser")
    return [visit(driver, page) for page in pages]


def visit(driver, page: Path) -> Visit:
    """Open a page on a wide screen, look, then narrow the screen to a phone's."""
    resize(driver, 1400)
    driver.get(page.as_uri())
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    images = driver.execute_script(
        "return [...document.querySelectorAll('img')].map(x => [x.src, x.alt || ''])"
    )
    links = driver.execute_script(
        "return [...document.querySelectorAll('a[href], img[src], link[href], script[src]')]"
        ".map(x => x.href || x.src)"
    )
    resize(driver, 390)
    return Visit(
        page=page,
        requests=[
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ],
        errors=[
            entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"
        ],
        images=[(src, alt) for src, alt in images],
        links=links,
        phone_width=driver.execute_script("return document.documentElement.scrollWidth"),
    )


def resize(driver, width: int) -> None:
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )


def test_nothing_is_asked_of_the_network(visits):
    asked = {url for seen in visits for url in seen.requests}
    assert {url for url in asked if urlsplit(url).scheme == "file"}, "the log saw no request"
    assert not {url for url in asked if urlsplit(url).scheme not in LOCAL}


def test_no_script_fails(visits):
    errors = [(seen.page.name, error) for seen in visits for error in seen.errors]
    assert not errors


def test_every_local_link_leads_to_a_file_and_a_place_in_it(visits):
    lost = []
    for seen in visits:
        for link in {x for x in seen.links if x.startswith("file:")}:
            parts = urlsplit(link)
            path, place = Path(unquote(parts.path)), unquote(parts.fragment)
            if "=" in place or path.suffix != ".html":
                place = ""  # a filter of the scoreboard, or no page
            if not path.exists() or (place and f'id="{place}"' not in path.read_text("utf-8")):
                lost.append((seen.page.name, link))
    assert not lost


def test_every_image_says_what_it_shows(visits):
    images = [(seen.page.name, *image) for seen in visits for image in seen.images]
    assert images
    assert not [x for x in images if not x[2].strip() or x[2].endswith((".png", ".svg"))]


def test_no_page_scrolls_sideways_on_a_phone(visits):
    assert not {seen.page.name: seen.phone_width for seen in visits if seen.phone_width > 390}


def test_mathematics_is_drawn_without_a_network(driver, open_page, html):
    open_page(html / "book" / "scoreboard.html")
    wait(driver, "return document.querySelectorAll('mjx-container svg').length > 0")
    raw = driver.execute_script(
        "return [...document.querySelectorAll('.math')]"
        ".filter(x => !x.querySelector('mjx-container')).length"
    )
    assert raw == 0


def test_the_filter_shows_what_it_says(driver, open_page, html):
    open_page(html / "book" / "scoreboard.html")
    rows = "[...document.querySelectorAll('#scoreboard tr[data-verdict]')]"
    shown = f"{rows}.filter(x => x.offsetParent !== null)"
    total = driver.execute_script(f"return {rows}.length")
    assert total > 0
    assert driver.execute_script(f"return {shown}.length") == total

    for verdict in ("reproduced", "differs", "not measured here"):
        expected = driver.execute_script(
            f"return {rows}.filter(x => x.dataset.verdict === arguments[0]).length", verdict
        )
        choose(driver, "verdict", verdict)
        found = driver.execute_script(f"return {shown}.map(x => x.dataset.verdict)")
        assert found == [verdict] * expected
        told = driver.execute_script("return document.querySelector('#scoreboard output').value")
        assert told.startswith(f"{expected} ")
        assert f"verdict={verdict.replace(' ', '+')}" in driver.current_url
    choose(driver, "verdict", "")

    choose(driver, "q", "no claim holds these words")
    assert driver.execute_script(f"return {shown}.length") == 0
    reset = driver.find_element("css selector", "#scoreboard button[type=reset]")
    driver.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", reset
    )
    reset.click()
    wait(driver, f"return {shown}.length === {total}")


def test_the_address_holds_the_filter(driver, open_page, html):
    open_page(html / "book" / "scoreboard.html", end="#verdict=not%20measured%20here")
    found = driver.execute_script(
        "return [...document.querySelectorAll('#scoreboard tr[data-verdict]')]"
        ".filter(x => x.offsetParent !== null).map(x => x.dataset.verdict)"
    )
    assert set(found) <= {"not measured here"}
    chosen = driver.execute_script("return document.querySelector('form.rs-filter').verdict.value")
    assert chosen == "not measured here"


def test_the_scoreboard_is_whole_without_javascript(driver, open_page, html):
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        driver.get((html / "book" / "scoreboard.html").as_uri())
        rows = driver.find_elements("css selector", "#scoreboard tr[data-verdict]")
        assert rows
        assert all(row.is_displayed() for row in rows)
        assert not driver.find_element("css selector", "form.rs-filter").is_displayed()
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


CONTRAST = """
const light = ([r, g, b]) => {
  const f = (x) => ((x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b);
};
const colour = (text) => text.match(/[\\d.]+/g).map(Number);
const ground = (node) => {
  for (; node; node = node.parentElement) {
    const c = colour(getComputedStyle(node).backgroundColor);
    if (c.length === 3 || c[3] === 1) return c;
  }
  return [255, 255, 255];
};
const low = [];
for (const node of document.querySelectorAll(arguments[0])) {
  const own = [...node.childNodes].some((x) => x.nodeType === 3 && x.data.trim());
  if (!own || node.closest("mjx-container, .headerlink") || node.offsetParent === null) continue;
  const a = light(colour(getComputedStyle(node).color)), b = light(ground(node));
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) low.push(`${ratio.toFixed(2)} ${node.tagName} ${node.textContent.slice(0, 40)}`);
}
return low;
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_ground(driver, open_page, html, theme):
    open_page(html / "book" / "scoreboard.html", theme=theme)
    assert driver.execute_script(CONTRAST, "#scoreboard *, .bd-article p") == []
    open_page(html / "book" / "index.html", theme=theme)
    assert driver.execute_script(CONTRAST, ".bd-article *") == []


def test_the_search_finds_a_word(driver, open_page, html):
    open_page(html / "search.html", end="?q=scoreboard")
    wait(driver, "return document.querySelectorAll('#search-results li').length > 0")


def test_each_chapter_opens_on_colab_and_binder_from_its_source(driver, open_page, html):
    chapters = sorted((html / "book" / "papers").glob("*.html"))
    assert chapters
    for chapter in chapters:
        open_page(chapter)
        links = driver.execute_script(
            "return [...document.querySelectorAll('.article-header-buttons a')].map(x => x.href)"
        )
        source = f"book/papers/{chapter.stem}.ipynb"
        for host in ("colab.research.google.com", "mybinder.org"):
            assert any(urlsplit(x).netloc == host and x.endswith(source) for x in links), links


def test_icons_show(open_page, html):
    driver = open_page(html / "book" / "scoreboard.html")
    loaded = driver.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "document.fonts.ready.then(() => done([...document.fonts]"
        ".filter(x => x.status == 'loaded').map(x => x.family)))"
    )
    assert any("Font Awesome 6 Free" in family for family in loaded)
    wide = driver.execute_script(
        "return [...document.querySelectorAll('i.fa-solid')].map(x => x.offsetWidth)"
    )
    assert 5 < max(wide) < 40


def test_the_book_is_small(html):
    size = sum(path.stat().st_size for path in html.rglob("*") if path.is_file())
    assert size < 15e6


def choose(driver, name: str, value: str) -> None:
    """Set a field of the filter as a reader would, firing its event."""
    driver.execute_script(
        "const field = document.querySelector('form.rs-filter')[arguments[0]];"
        "field.value = arguments[1];"
        "field.dispatchEvent(new Event('input', {bubbles: true}));",
        name,
        value,
    )


def wait(driver, condition: str) -> None:
    """Wait up to ten seconds until the script returns true."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, 10).until(lambda d: d.execute_script(condition), condition)
