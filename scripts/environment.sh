# Makes and checks the Python environment `.venv`. Sourced by the other scripts (POSIX sh), not run.
#
# Contract: `environment_root SCRIPT` (its path, links resolved) sets `root` and `venv`; `environment run|dev` returns with a good environment, or
# ends the shell with status 3 and one line that says what to do. After it, descriptor 9 holds a shared lock on the
# repository's folder for as long as the command lives: an environment is never rebuilt under a running command.
# `environment_with EXTRA`, between the two, asks for an extra; an environment that has one keeps it.
#
# A good environment costs four small processes (5 to 8 ms), starts no Python and makes no network call: the stamps
# in it hold the checksums of everything that shaped it, and the interpreter that it leads to. Which python3 comes
# first in PATH does not matter then, or cron and a login shell with different PATHs would rebuild it in turns.
# A stamp is written last: a build that was killed has none and counts as missing.
#
# An environment is made in `.venv.new` and takes the place of `.venv` when it is whole, so that a build that fails or
# is killed costs nothing. One that cannot be made anew here (a checkout of somebody else's, a read-only disk, a
# checksum that cannot be taken) is used as it is, whatever its stamp says, if it can run the program.

# The extras that `--with` takes: each has its file in scripts/requirements/.
environment_offered="cloud dask faces jxl parquet"

environment_root() {
    # A closed standard descriptor would be reused for the next file opened, and then be written to.
    { true <&0; } 2>/dev/null || exec </dev/null
    { true >&1; } 2>/dev/null || exec >/dev/null
    { true >&2; } 2>/dev/null || exec 2>/dev/null
    root=${1%/*/*}
    venv=$root/.venv
    new=$root/.venv.new
    old=$root/.venv.old
    with=
}

environment_with() {
    case $1 in heif | optimize) return ;; esac # were extras, and are part of every environment now
    for extra in $environment_offered; do
        if [ "$1" = "$extra" ]; then
            with="$with $1"
            return
        fi
    done
    printf 'pipeline: --with takes %s, not %s\n' "one of $environment_offered" "'$1'" >&2
    exit 2
}

# One line to whoever watches; nothing where nobody does (a cron job that succeeds is silent).
environment_say() {
    if [ -t 2 ]; then printf 'pipeline: %s\n' "$1" >&2; fi
}

environment_fail() {
    printf 'pipeline: %s\n' "$1" >&2
    exit 3
}

# Sets `extras` to those that were asked for (`with`) and those that the environment has, as its stamp says.
environment_extras() {
    has=
    if [ -f "$venv/.stamp-run" ]; then
        while IFS= read -r line; do has="$has ${line##*/}"; done <"$venv/.stamp-run"
    fi
    extras=
    for extra in $environment_offered; do
        case " $with $has " in *" $extra "* | *" $extra.txt "*) extras="$extras $extra" ;; esac
    done
}

# Of an environment in the folder $2. Fails where it cannot be told.
environment_fingerprint() {
    case $1 in
        run) shaped_by="build run $extras" ;;
        dev) shaped_by="build run $extras dev" ;;
    esac
    its_python=$2/bin/python
    set -- "$root/scripts/environment.sh"
    for name in $shaped_by; do set -- "$@" "$root/scripts/requirements/$name.txt"; done
    cksum "$@" 2>/dev/null && readlink -f -- "$its_python"
}

# Sets `unsure` where a tool failed, so that it cannot be told.
environment_good() {
    unsure=
    environment_extras
    [ -f "$venv/.stamp-$1" ] && [ -x "$venv/bin/python" ] || return
    unsure=yes
    stamp=$(cat "$venv/.stamp-$1") && now=$(environment_fingerprint "$1" "$venv") || return
    unsure=
    [ "$stamp" = "$now" ]
}

# For one that is not good: whether to make it anew.
environment_renewable() {
    [ -z "$unsure" ] && [ -w "$root" ] && { [ ! -e "$venv" ] || [ -w "$venv" ]; }
}

# Whether an environment has what is needed, whatever its stamp says.
environment_works() {
    needed='click, PIL.Image, pydantic, tqdm, yaml, pipeline.cli.main'
    if [ "$1" = dev ]; then needed="$needed, importlinter, mypy, pytest"; fi
    "$venv/bin/python" -I -c "import $needed" >/dev/null 2>&1
}

# Where there is no flock, or the file system has none, two builds at once are the user's to avoid.
environment_lock() {
    flock "$@" 9 2>/dev/null || ! command -v flock >/dev/null || [ "$1" != -n ]
}

environment() {
    exec 9<"$root"
    environment_lock -s
    until environment_good "$1"; do
        if ! environment_renewable; then
            { [ -z "$with" ] && environment_works "$1"; } ||
                environment_fail "$venv is missing or does not work here, and cannot be made anew (let its owner run $self, or use a checkout of your own)"
            environment_say "the environment in .venv cannot be checked or made anew; it is used as it is"
            return
        fi
        environment_lock -u
        if ! environment_lock -n -x; then
            environment_say "waiting for other commands to end, then the environment is renewed"
            environment_lock -x
        fi
        environment_good "$1" || environment_build "$1"
        environment_lock -s
    done
}

# Sets `python` to the first interpreter that will do.
environment_python() {
    found=
    for python in ${PIPELINE_PYTHON:+"$PIPELINE_PYTHON"} python3 python3.14 python3.13 python3.12 python3.11; do
        version=$("$python" -I -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || continue
        if ! "$python" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            found=${found:-"$python is $version"}
            continue
        fi
        "$python" -I -c 'import ensurepip, venv' 2>/dev/null && return
        environment_fail "$python has no venv module; on Debian: apt-get install ${python##*/}-venv"
    done
    environment_fail "needs Python 3.11 or newer, but ${found:-"there is no python3"}; on Debian: apt-get install python3 python3-venv"
}

# What is done to the environment in the folder $into.
environment_step() {
    "$@" >>"$into/build.log" 2>&1 && return
    status=$?
    tail -n 15 "$into/build.log" >&2
    environment_fail "the environment could not be made (status $status; the end of ${into##*/}/build.log is above)"
}

environment_pip() {
    # PKG_CONFIG=false: pyvips, the one package without a wheel, must not compile itself against a libvips of the
    # system; it takes the one that pyvips-binary brings. Its build tools are pinned too (build.txt): no isolation.
    PKG_CONFIG=false environment_step "$into/bin/python" -I -m pip --disable-pip-version-check --no-input install \
        --no-user --require-hashes --no-deps --no-build-isolation -r "$root/scripts/requirements/$1.txt"
}

environment_build() {
    if [ ! -e "$venv" ] && [ -f "$new/.stamp-run" ]; then # killed between the two steps of `environment_swap`
        environment_swap
        return
    fi
    level=$1
    if [ "$level" = dev ] && environment_good run; then
        environment_say "adding the tools for development to .venv (once)"
        rm -f "$venv/.stamp-dev"
    else
        environment_python
        environment_say "making the environment in .venv (once, half a minute)"
        if [ -f "$venv/.stamp-dev" ]; then level=dev; fi # a developer's environment stays one
        into=$new
        rm -rf "$new" 2>/dev/null && mkdir "$new" 2>/dev/null || environment_fail "cannot write $new"
        environment_step "$python" -I -m venv --prompt .venv "$new"
        environment_pip build
        environment_pip run
        for extra in $extras; do environment_pip "$extra"; done
        # The modules are taken from the repository itself; relative, so that no name of a folder can break it.
        for site in "$new"/lib/python3.*/site-packages; do printf '../../../..\n' >"$site/pipeline.pth"; done
        environment_step "$new/bin/python" -I -c "$environment_readdress" "$new" "$venv"
        environment_stamp run
        environment_swap
    fi
    if [ "$level" = dev ]; then
        into=$venv
        environment_pip dev
        environment_stamp dev
    fi
}

# Python: what the environment says of its own place is what will be true of it when it has been moved.
environment_readdress='
import os, sys
before, after = (os.fsencode(path) for path in sys.argv[1:])
folder = os.path.join(before, b"bin")
for path in [os.path.join(before, b"pyvenv.cfg"), *(os.path.join(folder, name) for name in os.listdir(folder))]:
    if os.path.isfile(path) and not os.path.islink(path):
        with open(path, "r+b") as file:
            text = file.read()
            if before in text:
                file.seek(0)
                file.truncate()
                file.write(text.replace(before, after))
'

environment_swap() {
    rm -rf "$old" 2>/dev/null && { [ ! -e "$venv" ] && [ ! -L "$venv" ] || mv "$venv" "$old"; } && mv "$new" "$venv" ||
        environment_fail "cannot write $venv"
    rm -rf "$old" 2>/dev/null || true
}

environment_stamp() {
    environment_fingerprint "$1" "$into" >"$into/.stamp-$1.new" && mv "$into/.stamp-$1.new" "$into/.stamp-$1" ||
        environment_fail "cannot write $into"
}
