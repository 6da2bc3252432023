"""Sessions follow the provider: groups that change, people who leave, and signing out there, while somebody is signed in here."""

from browser import opened
from providers import ADMINS, LEO, MEMBERS, MONA, VISITORS
from test_providers import CURRENT, is_asked, signed_in, start
from world import FRED, eventually


def status(site, page):
    return page.context.request.get(site.url + CURRENT).status


def is_admin(site, page):
    answer = page.context.request.get(site.url + CURRENT)
    assert answer.status == 200, answer.text()
    return answer.json()["is_admin"]


def test_group_changed_at_the_provider_counts_while_one_is_signed_in(site, page):
    site.set_groups(MONA, [MEMBERS])
    assert signed_in(site, page, MONA)["is_admin"] is False
    site.set_groups(MONA, [MEMBERS, ADMINS])
    eventually(lambda: is_admin(site, page), "the new administrator is one")
    site.set_groups(MONA, [MEMBERS])
    eventually(lambda: not is_admin(site, page), "the administrator is none any more")
    site.set_groups(MONA, [VISITORS])
    eventually(lambda: status(site, page) == 401, "who is in no allowed group any more is out")
    page.goto(site.url + "/login")
    page.get_by_role("alert").get_by_text("in none of the groups").wait_for()


def test_somebody_disabled_at_the_provider_is_signed_out(site, page):
    signed_in(site, page, LEO)
    site.set_enabled(LEO, False)
    try:
        eventually(lambda: status(site, page) == 401, "who is disabled is out")
        page.goto(start(site))
        is_asked(page)
    finally:
        site.set_enabled(LEO, True)


def test_signing_out_at_the_provider_ends_that_session_alone(site, chromium):
    """By back-channel logout: the other browser of the same person, and other people, stay signed in."""
    with opened(chromium) as here, opened(chromium) as there, opened(chromium) as other:
        for page, person in (here, LEO), (there, LEO), (other, FRED):
            signed_in(site, page, person)
        told = site.gateway.log.read_text().count("cause=back-channel")
        site.sign_out(here)
        eventually(lambda: status(site, here) == 401, "who signed out at the provider is out here")
        [line] = [line for line in site.gateway.log.read_text().splitlines() if "cause=back-channel" in line][told:]
        assert "count=1" in line
        assert [status(site, page) for page in (there, other)] == [200, 200]
