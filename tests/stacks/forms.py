"""The forms of certificate that TLS stacks are shown, each made with openssl."""

import os
import subprocess

CA = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
AKI = "authorityKeyIdentifier=keyid\n"
SKI = "subjectKeyIdentifier=hash\n"
KU = "keyUsage=critical,digitalSignature,keyEncipherment\n"
EKU = "extendedKeyUsage=serverAuth\n"
LEAF = "basicConstraints=critical,CA:FALSE\n" + SKI + AKI
HOST = "db.corp.test"

RSA = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]


def rsa(bits):
    return ["-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}"]


def ec(curve):
    return ["-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}", "-pkeyopt", "ec_param_enc:named_curve"]


ED25519 = ["-algorithm", "ED25519"]
ED448 = ["-algorithm", "ED448"]
PSS = ["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"]


class Maker:
    """Makes certificates in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.keys = {}
        self.made = 0

    def run(self, *words, text=None):
        done = subprocess.run(["openssl", *words], input=text, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"openssl {' '.join(words)}: {done.stderr}")
        return done.stdout

    def path(self, suffix):
        self.made += 1
        return os.path.join(self.folder, f"{self.made}{suffix}")

    def key(self, kind=RSA, name=None):
        """A key; the same one for the same name."""
        found = self.keys.get((tuple(kind), name))
        if found is None or name is None:
            found = self.path(".key")
            self.run("genpkey", *kind, "-out", found)
            self.keys[(tuple(kind), name)] = found
        return found

    def cert(self, subject, extensions, issuer=None, key=None, kind=RSA, digest="sha256",
             serial=None, version=3, days=36500, start=None, sign=()):
        """A certificate, by default signed by itself."""
        # Those that a CA signed share a key: making them takes most of the time.
        key = key or self.key(kind, "shared" if issuer else None)
        request, out, config = self.path(".csr"), self.path(".pem"), self.path(".cnf")
        self.run("req", "-new", "-key", key, "-subj", subject, "-out", request)
        words = ["x509", "-req", "-in", request, "-out", out]
        if start is not None:
            # Dates are set by "ca" alone.
            return self.dated(request, out, config, extensions, issuer, key, digest, start), key
        words += ["-days", str(days)]
        if digest:
            words += ["-" + digest]
        if version == 3:
            with open(config, "w") as file:
                file.write("[e]\n" + extensions)
            words += ["-extfile", config, "-extensions", "e"]
        for option in sign:
            words += ["-sigopt", option]
        words += ["-set_serial", str(serial if serial is not None else 1000 + self.made)]
        if issuer:
            words += ["-CA", issuer[0], "-CAkey", issuer[1]]
        else:
            words += ["-signkey", key]
        self.run(*words)
        return out, key

    def dated(self, request, out, config, extensions, issuer, key, digest, dates):
        folder = self.path(".ca")
        os.mkdir(folder)
        open(f"{folder}/index", "w").close()
        with open(f"{folder}/serial", "w") as file:
            file.write("%04x\n" % (self.made * 16))
        ca, ca_key = issuer or (None, key)
        with open(config, "w") as file:
            file.write(
                f"[ca]\ndefault_ca=d\n[d]\ndatabase={folder}/index\nserial={folder}/serial\n"
                f"new_certs_dir={folder}\ndefault_md={digest}\npolicy=p\nunique_subject=no\n"
                "[p]\ncommonName=optional\n[e]\n" + extensions)
        words = ["ca", "-batch", "-notext", "-config", config, "-extensions", "e", "-in", request,
                 "-out", out, "-startdate", dates[0], "-enddate", dates[1], "-keyfile", ca_key]
        words += ["-cert", ca] if ca else ["-selfsign"]
        self.run(*words)
        return out


def forms(make):
    """Each form: its name, host, the certificates sent, those trusted, and the key."""
    root = make.cert("/CN=Corp Root", CA)
    san = f"subjectAltName=DNS:{HOST}\n"
    full = LEAF + KU + EKU

    def leaf(extensions=full + san, issuer=root, subject=f"/CN={HOST}", **more):
        return make.cert(subject, extensions, issuer, **more)

    def plain(name, own, host=HOST, trusted=root, sent=()):
        trusted = trusted if isinstance(trusted, list) else [trusted]
        return name, host, [own, *sent], trusted

    def with_root(name, ca, **more):
        return plain(name, leaf(issuer=ca, **more), trusted=ca)

    yield plain("good", leaf())
    yield plain("good-no-eku", leaf(LEAF + KU + san))
    yield plain("good-no-ku", leaf(LEAF + EKU + san))
    yield plain("good-root-sent", leaf(), sent=[root])
    middle = make.cert("/CN=Corp Issuing", CA + AKI, root)
    yield plain("good-intermediate", leaf(issuer=middle), sent=[middle])

    # Keys and signatures.
    for curve, name in [("P-256", "p256"), ("P-384", "p384"), ("P-521", "p521"),
                        ("secp256k1", "secp256k1"), ("brainpoolP256r1", "brainpool")]:
        yield plain(f"key-{name}", leaf(kind=ec(curve)))
    ec_ca = make.cert("/CN=Corp EC Root", CA, kind=ec("P-521"))
    yield with_root("signed-p521", ec_ca)
    yield with_root("signed-p256-sha512", make.cert("/CN=Corp P256 Root", CA, kind=ec("P-256")), digest="sha512")
    yield plain("key-ed25519", leaf(kind=ED25519))
    yield plain("key-ed448", leaf(kind=ED448))
    ed = make.cert("/CN=Corp Ed Root", CA, kind=ED25519, digest=None)
    yield with_root("signed-ed25519", ed, digest=None)
    yield with_root("signed-ed448", make.cert("/CN=Corp Ed448 Root", CA, kind=ED448, digest=None), digest=None)
    yield plain("signed-pss", leaf(sign=["rsa_padding_mode:pss", "rsa_pss_saltlen:digest"]))
    yield plain("key-pss", leaf(kind=PSS))
    yield plain("signed-sha1", leaf(digest="sha1"))
    yield plain("signed-sha512", leaf(digest="sha512"))
    yield plain("signed-md5", leaf(digest="md5"))
    sha1_middle = make.cert("/CN=Corp Old Issuing", CA + AKI, root, digest="sha1")
    yield plain("intermediate-sha1", leaf(issuer=sha1_middle), sent=[sha1_middle])
    yield with_root("root-sha1", make.cert("/CN=Corp Old Root", CA, digest="sha1"))
    yield plain("key-rsa-1024", leaf(kind=rsa(1024)))
    yield plain("key-rsa-512", leaf(kind=rsa(512)))
    yield plain("key-rsa-4096", leaf(kind=rsa(4096)))
    yield with_root("root-rsa-1024", make.cert("/CN=Corp Small Root", CA, kind=rsa(1024)))

    # Names.
    yield plain("cn-only", leaf(full))
    yield plain("cn-only-ip", leaf(full, subject="/CN=127.0.0.1"), host="127.0.0.1")
    yield plain("cn-only-wildcard", leaf(full, subject="/CN=*.corp.test"))
    yield plain("cn-right-san-other", leaf(full + "subjectAltName=DNS:other.corp.test\n"))
    yield plain("cn-right-san-ip", leaf(full + "subjectAltName=IP:127.0.0.1\n"))
    yield plain("cn-right-san-email", leaf(full + "subjectAltName=email:dba@corp.test\n"))
    yield plain("cn-right-san-uri", leaf(full + "subjectAltName=URI:spiffe://corp.test/db\n"))
    yield plain("name-other", leaf(full + "subjectAltName=DNS:other.corp.test\n", subject="/CN=other.corp.test"))
    yield plain("name-case", leaf(full + "subjectAltName=DNS:DB.Corp.TEST\n"))
    yield plain("name-underscore", leaf(full + "subjectAltName=DNS:db_1.corp.test\n"), host="db_1.corp.test")
    yield plain("name-short", leaf(full + "subjectAltName=DNS:db\n", subject="/CN=db"), host="db")
    yield plain("name-long-for-short", leaf(), host="db")
    yield plain("ip-san", leaf(full + "subjectAltName=IP:127.0.0.1\n"), host="127.0.0.1")
    yield plain("ip-other", leaf(full + "subjectAltName=IP:127.0.0.2\n"), host="127.0.0.1")
    yield plain("ip-in-dns-san", leaf(full + "subjectAltName=DNS:127.0.0.1\n", subject="/CN=x"), host="127.0.0.1")
    yield plain("ip-in-dns-san-and-cn", leaf(full + "subjectAltName=DNS:127.0.0.1\n", subject="/CN=127.0.0.1"), host="127.0.0.1")
    yield plain("ip-for-name-only", leaf(), host="127.0.0.1")
    yield plain("wildcard", leaf(full + "subjectAltName=DNS:*.corp.test\n"))
    yield plain("wildcard-deep", leaf(full + "subjectAltName=DNS:*.corp.test\n"), host="a.db.corp.test")
    yield plain("wildcard-partial", leaf(full + "subjectAltName=DNS:d*.corp.test\n", subject="/CN=x"))
    yield plain("wildcard-top", leaf(full + "subjectAltName=DNS:*.test\n", subject="/CN=x"), host="db.test")
    yield plain("wildcard-not-first", leaf(full + "subjectAltName=DNS:db.*.test\n", subject="/CN=x"))
    yield plain("wildcard-bare-domain", leaf(full + "subjectAltName=DNS:*.corp.test\n", subject="/CN=x"), host="corp.test")

    # Versions and authorities as the server's own.
    yield plain("v1", leaf(version=1))
    v1_root = make.cert("/CN=Corp V1 Root", "", version=1)
    yield plain("v1-root", leaf(full.replace("=keyid", "=keyid,issuer") + san, issuer=v1_root), trusted=v1_root)
    v1_self = make.cert(f"/CN={HOST}", "", version=1)
    yield plain("v1-self-signed", v1_self, trusted=v1_self)
    as_ca = make.cert(f"/CN={HOST}", CA + san)
    yield plain("self-signed-ca", as_ca, trusted=as_ca)
    default = make.cert(f"/CN={HOST}", "basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n" + san)
    yield plain("self-signed-req-default", default, trusted=default)
    own = make.cert(f"/CN={HOST}", full + san)
    yield plain("self-signed", own, trusted=own)
    bare = make.cert(f"/CN={HOST}", san)
    yield plain("self-signed-no-bc", bare, trusted=bare)
    yield plain("ca-as-leaf", leaf(CA + AKI + san))
    unknown = make.cert(f"/CN={HOST}", full + san)
    yield plain("self-signed-unknown", unknown)

    # What is trusted, and what is sent.
    yield plain("trusted-intermediate-only", leaf(issuer=middle), trusted=middle, sent=[middle])
    yield plain("trusted-intermediate-not-sent", leaf(issuer=middle), trusted=middle)
    pinned = leaf()
    yield plain("trusted-leaf-only", pinned, trusted=pinned)
    yield plain("intermediate-missing", leaf(issuer=middle))
    yield plain("intermediate-in-root-file", leaf(issuer=middle), trusted=[root, middle])
    yield plain("unknown-root", leaf(issuer=make.cert("/CN=Other Root", CA)))
    namesake = make.cert("/CN=Corp Root", CA)
    yield plain("namesake-root", leaf(issuer=namesake))
    yield plain("unordered-chain", leaf(issuer=middle), sent=[root, middle])

    # Extensions that strict readers want.
    yield plain("no-aki", leaf("basicConstraints=critical,CA:FALSE\nauthorityKeyIdentifier=none\n" + SKI + KU + EKU + san))
    yield plain("no-ski", leaf("basicConstraints=critical,CA:FALSE\nsubjectKeyIdentifier=none\n" + AKI + KU + EKU + san))
    yield plain("no-bc", leaf(SKI + AKI + KU + EKU + san))
    yield with_root("root-no-ku", make.cert("/CN=R1", "basicConstraints=critical,CA:TRUE\n" + SKI))
    yield with_root("root-no-bc", make.cert("/CN=R2", "keyUsage=critical,keyCertSign,cRLSign\n" + SKI))
    yield with_root("root-bc-not-critical", make.cert("/CN=R3", "basicConstraints=CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n" + SKI))
    yield with_root("root-ku-not-critical", make.cert("/CN=R3b", "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\n" + SKI))
    yield with_root("root-not-ca", make.cert("/CN=R4", "basicConstraints=critical,CA:FALSE\n" + SKI))
    yield with_root("root-ku-no-sign", make.cert("/CN=R5", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,digitalSignature\n" + SKI))
    no_ski = make.cert("/CN=R6", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=none\n")
    yield plain("root-no-ski", leaf("basicConstraints=critical,CA:FALSE\nauthorityKeyIdentifier=none\n" + KU + EKU + san, issuer=no_ski), trusted=no_ski)
    yield with_root("root-eku-client", make.cert("/CN=R7", CA + "extendedKeyUsage=clientAuth\n"))
    client_middle = make.cert("/CN=M7", CA + AKI + "extendedKeyUsage=clientAuth\n", root)
    yield plain("intermediate-eku-client", leaf(issuer=client_middle), sent=[client_middle])
    no_ku = make.cert("/CN=M8", "basicConstraints=critical,CA:TRUE\n" + SKI + AKI, root)
    yield plain("intermediate-no-ku", leaf(issuer=no_ku), sent=[no_ku])
    not_ca = make.cert("/CN=M9", "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n" + SKI + AKI, root)
    yield plain("intermediate-not-ca", leaf(issuer=not_ca), sent=[not_ca])
    yield plain("ku-encipher-only", leaf(LEAF + "keyUsage=critical,keyEncipherment\n" + EKU + san))
    yield plain("ku-cert-sign-only", leaf(LEAF + "keyUsage=critical,keyCertSign\n" + EKU + san))
    yield plain("ku-ec-agreement-only", leaf(LEAF + "keyUsage=critical,keyAgreement\n" + EKU + san, kind=ec("P-256")))
    yield plain("eku-client", leaf(LEAF + KU + "extendedKeyUsage=clientAuth\n" + san))
    yield plain("eku-any", leaf(LEAF + KU + "extendedKeyUsage=anyExtendedKeyUsage\n" + san))
    yield plain("eku-code-signing", leaf(LEAF + KU + "extendedKeyUsage=codeSigning\n" + san))
    yield plain("critical-unknown", leaf(full + san + "1.2.3.4.5=critical,ASN1:UTF8String:x\n"))
    yield plain("empty-subject", leaf(full + san, subject="/"))
    yield plain("empty-subject-critical-san", leaf(full + f"subjectAltName=critical,DNS:{HOST}\n", subject="/"))

    # Serial numbers.
    yield plain("serial-negative", leaf(serial=-5))
    yield plain("serial-zero", leaf(serial=0))
    yield plain("serial-long", leaf(serial="0x7f" + "11" * 24))
    yield with_root("root-serial-negative", make.cert("/CN=R10", CA, serial=-7))
    yield with_root("root-serial-zero", make.cert("/CN=R11", CA, serial=0))

    # Constraints.
    narrow = make.cert("/CN=N1", CA + "nameConstraints=critical,permitted;DNS:other.test\n")
    yield with_root("constraint-dns", narrow)
    allowed = make.cert("/CN=N2", CA + "nameConstraints=critical,permitted;DNS:corp.test\n")
    yield with_root("constraint-dns-met", allowed)
    dotted = make.cert("/CN=N3", CA + "nameConstraints=critical,permitted;DNS:.corp.test\n")
    yield with_root("constraint-dns-dotted", dotted)
    excluded = make.cert("/CN=N4", CA + "nameConstraints=critical,excluded;DNS:corp.test\n")
    yield with_root("constraint-excluded", excluded)
    by_middle = make.cert("/CN=N5", CA + AKI + "nameConstraints=critical,permitted;DNS:other.test\n", root)
    yield plain("constraint-by-intermediate", leaf(issuer=by_middle), sent=[by_middle])
    zero = make.cert("/CN=N6", "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n" + SKI)
    below = make.cert("/CN=N7", CA + AKI, zero)
    yield plain("pathlen", leaf(issuer=below), trusted=zero, sent=[below])
    zero_middle = make.cert("/CN=N8", "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n" + SKI + AKI, root)
    below_middle = make.cert("/CN=N9", CA + AKI, zero_middle)
    yield plain("pathlen-intermediate", leaf(issuer=below_middle), sent=[below_middle, zero_middle])

    # Time.
    yield plain("expired", leaf(start=("200101000000Z", "210101000000Z")))
    yield plain("not-yet-valid", leaf(start=("20900101000000Z", "20950101000000Z")))
    old = make.cert("/CN=T1", CA, start=("200101000000Z", "210101000000Z"))
    yield with_root("root-expired", old)
