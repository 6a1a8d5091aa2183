"""Claims in the browser: one is made and shown once, taken back, and a gateway's certificate is seen."""

import pytest
from playwright.sync_api import Browser, expect

from contracts.claim_code import claim_secret
from tests.browser.test_console import browser, clean_page
from tests.system import RunningSystem

__all__ = ["browser"]


@pytest.mark.parametrize(("width", "locale"), [(1440, "en-US"), (390, "zh-CN")])
def test_a_claim_is_shown_once_and_taken_back(
    running_system: RunningSystem, browser: Browser, width: int, locale: str
) -> None:
    chinese = locale.startswith("zh")
    gateway = running_system.demo["gateways"][0]
    with clean_page(browser, running_system, width, locale) as page:
        page.goto(f"{running_system.base_url}/gateways")
        page.get_by_role("link", name="认领码" if chinese else "Claims").click()
        page.get_by_label("给哪台网关" if chinese else "For which gateway").first.fill(gateway)
        page.get_by_role("option").filter(has_text=gateway).click()
        page.get_by_role("button", name="生成" if chinese else "Make", exact=True).click()
        code = page.locator("[data-claim]")
        expect(code).to_be_visible()
        assert len(claim_secret(code.inner_text())) == 16
        picture = page.get_by_role("img", name="二维码" if chinese else "QR code")
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0, "it can't be drawn"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page is wider than the screen"
        page.get_by_role("button", name="我已记下" if chinese else "I have it").click()
        expect(code).to_have_count(0)
        page.get_by_role("button", name="撤回" if chinese else "Take back").first.click()
        expect(page.get_by_text("已撤回" if chinese else "taken back").first).to_be_visible()
        page.get_by_role("link", name=gateway).first.click()
        expect(page.get_by_text("有效" if chinese else "holds", exact=True).first).to_be_visible()
        page.get_by_role("button", name="禁止这台网关接入" if chinese else "Shut this gateway out").click()
        expect(page.get_by_role("button", name="禁止接入" if chinese else "Shut it out", exact=True)).to_be_disabled()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page is wider than the screen"
