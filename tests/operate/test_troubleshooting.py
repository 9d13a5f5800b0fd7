# SPDX-License-Identifier: Apache-2.0
"""What docs/troubleshooting.md says that a person sees is what they see, and what it says to do helps."""
from __future__ import annotations

import re

import pytest

from lib.program import CLIENT, TESTS, USER, Ran, environment, public, run, run_as_user
from lib.text import comments
from lib.wait import wait_until
from lib.world import GOLDEN, RUN
from standin.mapping import GOLDEN_ROLES

PAGE = (TESTS.parent / "docs" / "troubleshooting.md").read_text()
WORDS = " ".join(PAGE.split())
NAMES = [name for r in GOLDEN_ROLES for name in (r.name, f"src_{r.name}")]


def shell(world, text: str, **env: str) -> Ran:
    """A line of the page, by the user of a run container whose mount is the last one."""
    text = text.replace("/var/run/.aws", str(world.mounts[-1].path)) if world.mounts else text
    return run_as_user(["/bin/bash", "-c", text], env=environment(HOME=str(home(world)), **env), timeout=60)


def home(world):
    folder = world.folder / "someone"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    return folder


def named(words: str) -> str:
    """Words that the page has, as they are."""
    assert words in WORDS, f"docs/troubleshooting.md does not say: {words}"
    return words


def section(title: str) -> str:
    return re.search(rf"^## {re.escape(title)}\n((?:(?!^## ).*\n?)*)", PAGE, re.MULTILINE)[1]


def test_first_lines(world):
    world.service.behave(status=500)
    mount = world.mount("--min-refresh=0s", "--wait=60s", "--stale-wait=60s")
    first = shell(world, named("head -1 /var/run/.aws/config")).out.decode()
    assert named("NO PROFILES since") in first
    world.service.normal()
    verified = shell(world, named("touch /var/run/.aws/refresh; head -1 /var/run/.aws/config")).out.decode()
    assert verified.startswith("[profile ")
    world.service.behave(status=500)
    mount.touch()
    text = mount.read()
    assert named("STALE since") in text and named("These profiles are the last good answer, of") in text
    assert [line for line in comments(text) if line.startswith("# Cause: ")] and named("`Cause:`")
    assert [line for line in comments(text) if line.startswith("# What to do: ")] and named("`What to do:`")


def test_no_role_is_mapped(world):
    world.service.roles = []
    mount = world.mount("--wait=60s")
    assert named("# irsafs: the mapping service maps no role to you") in mount.read()


def test_mount_is_in_the_table(world):
    world.mount()
    ran = shell(world, named("grep irsafs /proc/self/mountinfo"))
    assert ran.code == 0 and named("fuse.irsafs") in ran.out.decode()


def test_client_without_a_mutation(world):
    """The block for a run that the mutation did not change."""
    block = re.search(r"```\n(.*?)```", section("There is no /var/run/.aws"), re.DOTALL)[1]
    url = re.search(r"https://\S+", block)[0]
    run(["cp", public(CLIENT), home(world) / "irsafs-client"])
    text = f"cd\n{block.replace(url, world.service.url)}\naws configure list-profiles"
    env = {"DOMINO_API_PROXY": world.tokens.origin, "DOMINO_RUN_ID": RUN}   # Domino's own
    ran = shell(world, text, **env)
    assert ran.code == 0 and ran.out.decode().split() == NAMES, ran.err


def test_client_without_a_mount(world):
    """The line for a run with the environment of the mutation, but without irsafs."""
    line = re.search(r"`(irsafs-client >~/aws-config [^`]+)`", WORDS)[1]
    run(["cp", public(CLIENT), home(world) / "irsafs-client"])
    env = {k: v for k, v in world.env().items() if k.startswith(("DOMINO", "POD"))}
    ran = shell(world, f"PATH=$HOME:$PATH; {line}; aws configure list-profiles", **env)
    assert ran.code == 0 and ran.out.decode().split() == NAMES, ran.err


def test_touch_with_a_date_is_refused(world):
    world.mount()
    ran = shell(world, "touch -d 2001-01-01 /var/run/.aws/refresh")
    said = ran.err.strip().replace(str(world.mounts[-1].path), "/var/run/.aws")
    assert ran.code != 0 and named(said)
    assert shell(world, named("touch /var/run/.aws/refresh && echo done")).out == b"done\n"


@pytest.mark.parametrize("user, words", [(USER, "[Errno 13] Permission denied"), (0, "[Errno 30] Read-only file system")])
def test_writing_to_config(world, user, words):
    mount = world.mount()
    mount.read()
    ran = run(["/usr/bin/aws", "configure", "set", "region", "us-west-2", "--profile", "x"], user=user, group=user,
              extra_groups=[], env=environment(AWS_CONFIG_FILE=str(mount.config), HOME=str(home(world))))
    assert ran.code != 0 and named(words) in ran.err
    assert mount.read() == GOLDEN


def test_a_copy_can_be_changed(world):
    world.mount()
    line = re.search(r"`(cat /var/run/.aws/config >[^`]+)`", WORDS)[1]
    ran = shell(world, f"{line}; aws configure set region us-west-2 --profile mine && aws configure list-profiles")
    assert ran.code == 0 and ran.out.decode().split() == [*NAMES, "mine"], ran.err


def test_mount_of_the_single_file_is_found_out(world):
    mount = world.mount("--min-refresh=0s", "--wait=60s")
    mount.read()
    single = world.folder / "single"
    single.touch()
    line = named('stat -c %i "$AWS_CONFIG_FILE" /var/run/.aws/config').replace("/var/run/.aws", str(mount.path))
    world.service.roles = GOLDEN_ROLES[:1]
    ran = run(
        ["unshare", "-m", "--propagation", "private", "sh", "-ec",
         f"mount --bind {mount.config} {single}; touch {mount.refresh}; cat {mount.config} >/dev/null; {line}"],
        env=environment(AWS_CONFIG_FILE=str(single)),
    )
    assert ran.code == 0, ran.err
    assert len(set(ran.out.split())) == 2
    ran = run(["sh", "-ec", line], env=environment(AWS_CONFIG_FILE=str(mount.config)))
    assert len(set(ran.out.split())) == 1


def test_killed_supervisor_and_the_next_one(world):
    mount = world.mount()
    mount.read()
    mount.kill()
    err = wait_until(lambda: shell(world, named("cat /var/run/.aws/status")).err, "an error from cat")
    assert named(err.strip().rsplit(": ", 1)[1])
    mount.start()
    assert mount.read() == GOLDEN and named("dead_mount_removed") in mount.log()


def test_list_of_variables_shows_no_value(world):
    shown = shell(world, named("env | cut -d= -f1 | grep ^AWS_"), AWS_ACCESS_KEY_ID="AKIANOBODY").out.decode()
    assert shown.split() == ["AWS_ACCESS_KEY_ID"]
