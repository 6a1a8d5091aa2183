"""The console in Chromium against the running system: overview, device, a command to its confirmation."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.devices import ForeignClient
from tests.system import RunningSystem

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-quic", "--no-first-run"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    path = shutil.which("chromium")
    assert path, "Chromium is not installed: run `make servers`"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield launched
        launched.close()


@contextmanager
def clean_page(
    browser: Browser,
    system: RunningSystem,
    width: int,
    locale: str,
    role: str = "administrator",
    refusals: bool = False,
    url: str = "",
) -> Iterator[Page]:
    """A page that may not complain in its console, nor ask anybody but the system.

    role      who has signed in; "": nobody
    refusals  that the server has refused something, which the browser notes, is no complaint
    url       of the system, where it is not to be its address: "http://localhost:..."
    """
    url = url or system.base_url
    context = browser.new_context(viewport={"width": width, "height": 900}, locale=locale)
    if role:
        account = system.demo["accounts"][role]
        who = {"name": account["name"], "password": account["password"]}
        asked = context.request.post(f"{url}/api/v1/sessions", data=who)
        assert asked.status == 201, asked.text()
    page = context.new_page()
    complaints: list[str] = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda request: (
            complaints.append(f"asked {request.url}") if not request.url.startswith((url, "data:")) else None
        ),
    )
    yield page
    context.close()
    assert [text for text in complaints if not (refusals and "status of 4" in text)] == []


def valve(system: RunningSystem) -> dict[str, str]:
    items = system.ask("devices?community=liuyuan&kind=building&limit=1000")["items"]
    return next(device for device in items if device["profile"] == "linli/valve")


@pytest.mark.parametrize(("width", "locale"), [(1440, "en-US"), (390, "zh-CN")])
def test_overview_device_command(running_system: RunningSystem, browser: Browser, width: int, locale: str) -> None:
    chinese = locale.startswith("zh")
    device = valve(running_system)
    name = device["name"]["zh" if chinese else "en"]  # type: ignore[index]
    with clean_page(browser, running_system, width, locale) as page:
        page.goto(running_system.base_url)
        page.get_by_role("link", name="柳园小区" if chinese else "Willow Gardens").click()
        expect(page.get_by_role("status").filter(has_text="实时" if chinese else "Live")).to_be_visible()
        expect(page.locator(".place")).to_have_count(36)
        expect(page.locator('.place[data-status="unknown"]')).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page is wider than the screen"
        page.get_by_role("link").filter(has_text=name).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        expect(page.get_by_role("img")).not_to_have_count(0)
        # Keyboard: the verb's button can be reached and pressed without a mouse; a valve asks first.
        page.get_by_role("button", name="关闭阀门" if chinese else "Close valve").focus()
        page.keyboard.press("Enter")
        page.get_by_role("button", name="确定执行" if chinese else "Yes, do it").click()
        expect(page.locator('[data-state="confirmed"]').first).to_be_visible(timeout=15_000)
        # The other language, and it is remembered.
        page.get_by_role("button", name="Switch to English" if chinese else "切换到中文").click()
        expect(page.locator("html")).to_have_attribute("lang", "en" if chinese else "zh-CN")
        page.reload()
        expect(page.locator("html")).to_have_attribute("lang", "en" if chinese else "zh-CN")
        other = device["name"]["en" if chinese else "zh"]  # type: ignore[index]
        expect(page.get_by_role("heading", level=1)).to_have_text(other)
        page.get_by_role("button", name="Open valve" if chinese else "打开阀门").click()
        page.get_by_role("button", name="Yes, do it" if chinese else "确定执行").click()
        expect(page.locator('[data-state="confirmed"]')).not_to_have_count(1, timeout=15_000)


@pytest.mark.parametrize(("width", "locale"), [(1440, "en-US"), (390, "zh-CN")])
def test_a_gateway_and_its_ledger(running_system: RunningSystem, browser: Browser, width: int, locale: str) -> None:
    """From the overview, by keyboard alone, to a gateway: it is there, everything adds up, refusals have their reason."""
    chinese = locale.startswith("zh")
    gateway = running_system.demo["gateways"][0]
    with ForeignClient(running_system.demo["site_mqtt_ports"][gateway]) as device:
        device.publish(f"linli-device/reading/broken-{width}", b"{no json")
    with clean_page(browser, running_system, width, locale) as page:
        page.goto(running_system.base_url)
        if width < 992:  # there the pages are behind a button
            page.get_by_role("button", name="菜单" if chinese else "Menu").focus()
            page.keyboard.press("Enter")
        page.get_by_role("link", name="网关" if chinese else "Gateways", exact=True).focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("网关" if chinese else "Gateways")
        expect(page.locator("main a.card")).to_have_count(len(running_system.demo["gateways"]))
        page.locator(f'a[href="/gateways/{gateway}"]').focus()
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{running_system.base_url}/gateways/{gateway}")
        expect(page.get_by_role("heading", level=1)).not_to_have_text("网关" if chinese else "Gateways")
        expect(page.get_by_text("在线" if chinese else "online")).to_be_visible()
        expect(page.get_by_text("全部有着落。" if chinese else "Everything is accounted for.")).to_be_visible()
        refused = page.get_by_role("region", name="被拒绝的消息" if chinese else "Refused messages")
        entry = refused.get_by_role("listitem").filter(has_text=f"broken-{width}")
        expect(entry).to_contain_text("JSON 格式错误" if chinese else "broken JSON", timeout=20_000)
        expect(page.locator(f'[role=progressbar][aria-label^="{"发件箱" if chinese else "Outbox"}"]')).to_have_count(1)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page is wider than the screen"
        # And from a community: its number of gateways leads to them.
        page.get_by_role("link", name="柳园小区" if chinese else "Willow Gardens").click()
        page.get_by_role("link").filter(has_text="在线网关" if chinese else "Gateways online").click()
        expect(page.locator("main a.card")).to_have_count(2)


@pytest.mark.parametrize(("width", "locale"), [(1440, "en-US"), (390, "zh-CN")])
def test_what_a_gateway_discovers_is_adopted(
    running_system: RunningSystem, browser: Browser, width: int, locale: str
) -> None:
    """A topic that nobody reads is shown with what would be read from it, and is a device after one press."""
    chinese = locale.startswith("zh")
    gateway = running_system.demo["gateways"][0]
    state = {"state": "ON", "power": 41.5, "voltage": 231, "current": 0.18, "energy": 12.5, "linkquality": 80}
    with ForeignClient(running_system.demo["site_mqtt_ports"][gateway]) as device:
        device.publish(f"plant/unit-{width}", json.dumps(state).encode())
    with clean_page(browser, running_system, width, locale) as page:
        page.goto(f"{running_system.base_url}/gateways/{gateway}")
        card = page.get_by_role("region", name="无人读取的主题" if chinese else "Topics that nobody reads")
        entry = card.get_by_role("listitem").filter(has_text=f"plant/unit-{width}")
        expect(entry).to_contain_text("231 V", timeout=30_000)
        for label in ("中文名称", "英文名称") if chinese else ("Name in Chinese", "Name in English"):
            entry.get_by_label(label).fill("Boiler")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page is wider than the screen"
        entry.get_by_role("button", name="采纳" if chinese else "Adopt").click()
        card.get_by_role("link", name="Boiler").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Boiler")
        expect(page.get_by_text("231 V").first).to_be_visible()


@pytest.mark.parametrize(("width", "locale"), [(1440, "en-US"), (390, "zh-CN")])
def test_a_sites_charging_is_changed(running_system: RunningSystem, browser: Browser, width: int, locale: str) -> None:
    """The fuse is changed, and a card is added; its number is never shown again, and the passwords stay."""
    chinese = locale.startswith("zh")
    fuse_a, card = (32, "Flat 201") if chinese else (36, "Flat 200")
    with clean_page(browser, running_system, width, locale) as page:
        page.goto(f"{running_system.base_url}/gateways/gw-liuyuan-1")
        site = page.get_by_role("region", name="充电设置" if chinese else "Charging", exact=True)
        expect(site).to_contain_text("LY-CP-001")
        site.get_by_role("button", name="修改" if chinese else "Change").click()
        form = page.get_by_role("dialog")
        form.get_by_label("总熔断器" if chinese else "Fuse").fill(str(fuse_a))
        form.get_by_role("button", name="添加充电卡" if chinese else "Add a card").click()
        form.get_by_label("充电卡" if chinese else "Card", exact=False).last.fill(card)
        form.get_by_label("卡号" if chinese else "Number").last.fill("04A2B3C4D5E6F7")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page is wider than the screen"
        form.get_by_role("button", name="保存" if chinese else "Save").click()
        expect(site).to_contain_text(f"{fuse_a} A")
        expect(site).to_contain_text(card)
        expect(site).to_contain_text("••••E6F7")
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert "04A2B3C4" not in page.content()
        expect(site.get_by_text("已设置" if chinese else "set", exact=True)).to_have_count(3)
        site.get_by_role("button", name="修改" if chinese else "Change").click()
        page.get_by_role("dialog").get_by_role("group", name=card).get_by_role("button").click()
        page.get_by_role("dialog").get_by_role("button", name="保存" if chinese else "Save").click()
        expect(site).not_to_contain_text(card)


def test_a_page_that_is_not_there_says_so(running_system: RunningSystem, browser: Browser) -> None:
    with clean_page(browser, running_system, 390, "en-US") as page:
        page.goto(f"{running_system.base_url}/no/such/page")
        expect(page.get_by_text("This page does not exist.")).to_be_visible()


@pytest.mark.parametrize(("width", "locale"), [(1440, "en-US"), (390, "zh-CN")])
def test_signing_in_and_out(running_system: RunningSystem, browser: Browser, width: int, locale: str) -> None:
    """By keyboard alone; what is wrong is said; the place that was asked for is shown; afterwards nothing is."""
    chinese = locale.startswith("zh")
    account = running_system.demo["accounts"]["supervising_authority"]
    path = f"/gateways/{running_system.demo['gateways'][0]}"
    with clean_page(browser, running_system, width, locale, role="", refusals=True) as page:
        page.goto(f"{running_system.base_url}{path}")
        expect(page.get_by_role("heading", level=1)).to_have_text("登录" if chinese else "Sign in")
        expect(page.get_by_label("用户名" if chinese else "Name")).to_be_focused()
        page.keyboard.type(account["name"])
        page.keyboard.press("Tab")
        page.keyboard.type("not the password")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("错误" if chinese else "is wrong")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page is wider than the screen"
        password = page.get_by_label("密码" if chinese else "Password").first
        password.fill(account["password"])
        password.press("Enter")
        expect(page.get_by_text("全部有着落。" if chinese else "Everything is accounted for.")).to_be_visible()
        # Who only looks is not offered what he may not do.
        expect(page.get_by_role("region", name="被拒绝的消息" if chinese else "Refused messages")).to_have_count(0)
        assert page.evaluate("document.cookie") == "", "no script can read the session"
        page.get_by_role("button", name=account["name"]).focus()
        page.keyboard.press("Enter")
        page.get_by_role("menuitem", name="退出登录" if chinese else "Sign out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("登录" if chinese else "Sign in")
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_have_text("登录" if chinese else "Sign in")


def test_what_is_free_is_shown_to_everybody(running_system: RunningSystem, browser: Browser) -> None:
    with clean_page(browser, running_system, 390, "zh-CN", role="", refusals=True) as page:
        page.goto(f"{running_system.base_url}/availability/liuyuan")
        expect(page.get_by_role("heading", level=1)).to_have_text("柳园小区")
        expect(page.locator(".place").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, "the page is wider than the screen"
