"""People in the browser: one is invited, comes in, proves who he is, asks, and another allows it; a resident sees none of it."""

import time
from base64 import b32decode
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, expect

from cloud_api.people.totp import STEP_MS, code_at
from tests.browser.test_console import browser, clean_page
from tests.system import RunningSystem

__all__ = ["browser"]

WEAK, GOOD = "password1234", "harbour-lantern-quietly-7"
PHONE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def fits(page: Page) -> None:
    widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert widths[0] <= widths[1], f"{page.url} is wider than the screen"


def test_from_an_invitation_to_an_unlocked_plug(running_system: RunningSystem, browser: Browser) -> None:
    """At localhost: browsers have passkeys only at a name."""
    url = f"http://localhost:{urlsplit(running_system.base_url).port}"
    device = next(
        each for each in running_system.ask("devices?limit=1000")["items"] if "unlock_connector" in each["verbs"]
    )
    with (
        clean_page(browser, running_system, 1440, "en-US", url=url) as boss,
        clean_page(browser, running_system, 390, "zh-CN", role="", refusals=True, url=url) as page,
    ):
        boss.goto(f"{url}/people")
        boss.get_by_role("button", name="Invite somebody").click()
        form = boss.get_by_role("region", name="Invite somebody")
        form.get_by_role("button", name="Add a role").click()
        form.get_by_label("Community").first.click()
        boss.get_by_role("option", name="Willow Gardens").click()
        form.get_by_label("Role").first.click()
        boss.get_by_role("option", name="Property manager").click()
        form.get_by_role("button", name="Invite", exact=True).click()
        link = form.locator("[data-once=invitation]").inner_text()

        page.goto(link)
        page.get_by_label("用户名").fill("li.na")
        for password in (WEAK, GOOD):
            page.get_by_label("密码").first.fill(password)
            page.get_by_role("button", name="加入").click()
            if password == WEAK:
                expect(page.get_by_text("太容易猜到")).to_be_visible()
                fits(page)
        expect(page.get_by_role("heading", level=1)).to_have_text("柳园小区")

        page.goto(f"{url}/account")
        card = page.get_by_role("region", name="身份验证器应用")
        card.get_by_role("button", name="设置").click()
        picture = card.get_by_role("img", name="身份验证器二维码")
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0, "it can't be drawn"
        secret = card.locator("[data-once=authenticator]").inner_text()
        fits(page)
        card.get_by_label("应用显示的验证码").fill(code(secret))
        card.get_by_role("button", name="确认").click()
        expect(card.get_by_text("已设置", exact=True)).to_be_visible()
        tools = page.context.new_cdp_session(page)
        tools.send("WebAuthn.enable")
        tools.send("WebAuthn.addVirtualAuthenticator", {"options": PHONE})
        keys = page.get_by_role("region", name="通行密钥")
        keys.get_by_label("通行密钥名称").fill("手机")
        keys.get_by_role("button", name="创建通行密钥").click()
        expect(keys.get_by_role("listitem")).to_contain_text("手机")
        expect(page.get_by_role("region", name="我的登录").get_by_role("listitem")).to_have_count(1)
        fits(page)

        sign_out(page)
        page.get_by_label("用户名").fill("li.na")
        page.get_by_label("密码").first.fill(GOOD)
        page.get_by_role("button", name="登录", exact=True).click()
        page.get_by_label("验证码").fill(code(secret, 1))  # the one before is used
        page.get_by_role("button", name="登录", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("我的账号")
        sign_out(page)
        page.get_by_role("button", name="用通行密钥登录").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("我的账号")

        page.goto(f"{url}/devices/{device['id']}")
        page.get_by_role("button", name="解锁充电枪").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("为什么需要").fill("插头卡住了")
        dialog.get_by_role("button", name="申请").click()
        expect(page.locator("[data-approval=waiting]")).to_contain_text("等待第二人批准")
        fits(page)

        boss.goto(f"{url}/approvals")
        expect(boss.get_by_role("navigation").get_by_label("1 waits for you")).to_be_visible()
        waiting = boss.get_by_role("region", name="Waiting for you")
        expect(waiting.get_by_role("listitem")).to_contain_text("asked by li.na")
        waiting.get_by_role("button", name="Allow").click()
        expect(boss.get_by_role("region", name="Decided").get_by_text("allowed by you")).to_be_visible()

        page.reload()
        page.get_by_role("button", name="立即执行").click()
        page.get_by_role("button", name="确定执行").click()
        expect(page.locator("[data-command]").first).to_contain_text("解锁充电枪")
        expect(page.locator("[data-approval]")).to_have_count(0)
        boss.goto(f"{url}/audit")
        expect(boss.get_by_text("Gave a command").first).to_be_visible()

        # Shut out: the page that is open says so at its next question.
        boss.goto(f"{url}/people")
        row = boss.locator('[data-user="li.na"]')
        row.get_by_role("button", name="Disable").click()
        row.get_by_role("button", name="Disable the account").click()
        expect(row.get_by_text("disabled", exact=True)).to_be_visible()
        page.goto(f"{url}/account")
        expect(page.get_by_role("heading", level=1)).to_have_text("登录")


def code(secret: str, steps: int = 0) -> str:
    """What the authenticator shows, so many steps from now."""
    return code_at(b32decode(secret), int(time.time() * 1000) // STEP_MS + steps)


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="li.na").click()
    page.get_by_role("menuitem", name="退出登录").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("登录")


def test_a_resident_sees_no_administration(running_system: RunningSystem, browser: Browser) -> None:
    with clean_page(browser, running_system, 390, "zh-CN", role="resident") as page:
        page.goto(running_system.base_url)
        expect(page.get_by_role("heading", level=1)).to_have_text("柳园小区")
        expect(page.get_by_role("navigation")).to_have_count(0)
        expect(page.get_by_role("button", name="菜单")).to_have_count(0)
        for path in ("people", "approvals", "audit", "gateways"):
            page.goto(f"{running_system.base_url}/{path}")
            expect(page.get_by_role("heading", level=1)).to_have_text("您的角色不使用此页面。")
        page.goto(f"{running_system.base_url}/account")
        expect(page.get_by_role("region", name="我的登录")).to_be_visible()
        expect(page.get_by_role("region", name="程序令牌")).to_have_count(0)
        fits(page)
