"""What an agent in the pod trusts, and what of it is secret."""

PLACE = "/etc/ssl/sidespan"
DEBIAN, FEDORA, ALPINE = "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"
KEYS = r"""find / \( -path /proc -o -path /sys -o -path /dev \) -prune \
               -o -type f \( -name '*.key' -o -name '*key.pem' \) -print
           grep -rlIs --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev -e '-----BEGIN.*PRIVATE KEY' / || true"""


def exported(engine, container):
    """The certificates that sidespan exported, PEM."""
    return engine("exec", container, "cat", f"{PLACE}/ca.pem")


def in_the_pod(engine, agent, sidespan, house):
    """The agent trusts the roots of its image and ours, cannot change that, and sees no key."""
    ours = exported(engine, sidespan)
    assert ours.count("BEGIN CERTIFICATE") == 1 and "PRIVATE" not in ours
    assert exported(engine, agent) == ours
    assert sorted(engine("exec", agent, "ls", PLACE).split()) == ["bundle.pem", "ca.pem"]
    bundle = engine("exec", agent, "cat", f"{PLACE}/bundle.pem")
    assert bundle.replace("\n\n", "\n") == house + ours, bundle
    assert not engine.works("exec", agent, "touch", f"{PLACE}/more.pem")
    assert not engine.works("exec", agent, "ls", "/var/lib/sidespan")
    # The same search where there is one finds it.
    assert keys(engine, sidespan) == {"/var/lib/sidespan/authority/ca-key.pem"}, keys(engine, sidespan)
    assert keys(engine, agent) == set(), keys(engine, agent)


def keys(engine, container):
    return set(engine("exec", container, "sh", "-c", KEYS, check=False).split())


def other_images(engine, image, script, house):
    """The init container's script in images that keep their roots elsewhere, or have none."""
    for place in (DEBIAN, FEDORA, ALPINE, None):
        move = f"mkdir -p {place.rpartition('/')[0]}; mv /roots {place}" if place else "true"
        prepare = (f"mv {DEBIAN} /roots; {move}; mkdir /sidespan /trust\n"
                   "echo ours > /sidespan/ca.pem\n"
                   "(sleep 2; echo theirs and ours > /sidespan/bundle.pem) &\n")
        engine("run", "--detach", "--name", "trust", "--network", "none", "--entrypoint", '["sh", "-euc"]', image,
               f"{prepare}{script}cat /trust/bundle.pem")
        code = engine.exit_code("trust")
        out, err = engine.logs("trust")
        engine("rm", "trust")
        assert code == 0, f"{place}: exit {code}\n{err}"
        wanted = house + "ours\n" if place else "theirs and ours\n"
        assert out.replace("\n\n", "\n") == wanted, f"{place}: {out}"
