#!/usr/bin/env bash
# Runs in the Debian of tests/packages.rs: `image` before it boots, as the builder of an image
# would, `booted` once it has. Each check is a function with the name of a behaviour; what
# becomes of it is a line of /exchange/report: "ok NAME", "SKIPPED NAME: why" or
# "FAILED NAME: what was seen".
set -u

EXCHANGE=/exchange
REPORT=$EXCHANGE/report
PACKAGE=mediapackage2mqtt
CONFIGS=/etc/$PACKAGE
STATE=/var/lib/$PACKAGE
UNITS=/etc/systemd/system
DOCS=/usr/share/doc/$PACKAGE
# The most that anything here is waited for, but a stop.
LIMIT_SECONDS=60
STOP_LIMIT_MS=5000
PAUSE=0.05
# Where a device without a clock of its own may begin.
FAKETIME=/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1
DEVICE_WITHOUT_CLOCK='@2001-01-01 00:00:00'
# What a check exits with whose means are missing here.
SKIPPED=77

# check NAME: the function of that name, in a shell of its own, which fails by saying something and
# exiting.
check() {
    local seen code
    seen=$("$1" 2>&1)
    code=$?
    case $code in
    0) printf 'ok %s\n' "$1" ;;
    $SKIPPED) printf 'SKIPPED %s: %s\n' "$1" "${seen##*$'\n'}" ;;
    *) printf 'FAILED %s: %s\n' "$1" "$(tr '\n' '|' <<<"$seen")" ;;
    esac | tee -a "$REPORT"
}

fail() {
    printf '%s\n' "$*"
    exit 1
}

skip() {
    printf '%s\n' "$*"
    exit $SKIPPED
}

# is WHAT WANTED SEEN
is() {
    [ "$2" = "$3" ] || fail "$1 is \"$3\" and not \"$2\""
}

# has TEXT WORDS: the words stand in the text.
has() {
    case $1 in
    *"$2"*) ;;
    *) fail "\"$2\" is not in: $1" ;;
    esac
}

# waits_for COMMAND…: until it succeeds.
waits_for() {
    local end=$((SECONDS + LIMIT_SECONDS))
    until "$@"; do
        [ $SECONDS -lt $end ] || fail "waited for: $* ($(systemctl --no-pager --plain --no-legend \
            list-units "$PACKAGE*"; journalctl -q --no-pager -o cat -n 12 -u "$PACKAGE*"))"
        sleep $PAUSE
    done
}

of() {
    systemctl show --value -p "$2" "$1"
}

# The process of a unit that runs; `kill` takes 0 for all of its own.
pid_of() {
    runs "$1" || fail "$1 is $(of "$1" ActiveState)/$(of "$1" SubState)"
    of "$1" MainPID
}

runs() {
    [ "$(of "$1" ActiveState)/$(of "$1" SubState)" = active/running ]
}

is_down() {
    [ "$(of "$1" ActiveState)" = inactive ]
}

# runs_anew UNIT PID: with another process than that one.
runs_anew() {
    runs "$1" && [ "$(of "$1" MainPID)" != "$2" ]
}

quietly() {
    local told
    told=$("$@" 2>&1) || fail "$*: $told"
}

install_package() {
    quietly dpkg --install "$EXCHANGE/$1"
}

# write_config NAME INSTANCE [PORT]: what the example would be after an operator has filled it in,
# with a local page on PORT. AWS's own addresses: there is no network.
write_config() {
    install -m 640 -g $PACKAGE "$DOCS/examples/config.toml" "$CONFIGS/$1.toml"
    sed -i "s/^instance = .*/instance = \"$2\"/; s/^client_id = .*//" "$CONFIGS/$1.toml"
    cat >>"$CONFIGS/$1.toml" <<KEYS

[credentials]
access_key_id = "AKIAIOSFODNN7EXAMPLE"
secret_access_key_file = "\${CREDENTIALS_DIRECTORY}/secret_access_key"
KEYS
    [ -z "${3:-}" ] || printf '\n[status]\nlisten = "127.0.0.1:%s"\n' "$3" >>"$CONFIGS/$1.toml"
}

# drop_in UNIT NAME LINES: as `systemctl edit` makes one.
drop_in() {
    mkdir -p "$UNITS/$1.d"
    printf '[Service]\n%s\n' "$3" >"$UNITS/$1.d/$2.conf"
}

# status_of INSTANCE: what the broker keeps.
status_of() {
    mosquitto_sub -t "mediapackage/$1/status" -C 1 -W 2 2>/dev/null
}

is_online() {
    [ "$(status_of "$1")" = online ]
}

is_offline() {
    [ "$(status_of "$1")" = offline ]
}

# page_answers PORT PATH WORDS: the local page there has the words in what it answers.
page_answers() {
    local told
    told=$(exec 3<>"/dev/tcp/127.0.0.1/$1" &&
        printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$2" >&3 && tr -d '\0' <&3) 2>/dev/null
    [[ $told == "HTTP/1.1 "*"$3"* ]]
}

# --- before there is a running system

an_image_is_made_without_starting_anything() {
    local told
    told=$(dpkg --install "$EXCHANGE/amd64.deb" 2>&1) || fail "dpkg: $told"
    has "$told" "waits for its config"
    has "$told" "systemctl enable --now $PACKAGE"
    is "a warning" "" "$(grep -i -E 'warn|error' <<<"$told")"
    is "the service" disabled "$(systemctl is-enabled $PACKAGE.service)"
    is "an instance" disabled "$(systemctl is-enabled $PACKAGE@a.service)"
    is "the socket" disabled "$(systemctl is-enabled $PACKAGE.socket)"
}

its_user_can_do_nothing_else() {
    local entry
    entry=$(getent passwd $PACKAGE) || fail "there is no user"
    is "home and shell" "/:/usr/sbin/nologin" "$(cut -d: -f6- <<<"$entry")"
    [ "$(cut -d: -f3 <<<"$entry")" -lt 1000 ] || fail "not a system user: $entry"
    is "its groups" $PACKAGE "$(id -Gn $PACKAGE)"
    has "$(getent shadow $PACKAGE)" "$PACKAGE:!"
}

configs_are_for_root_and_the_service_alone() {
    is "the folder" "750 root $PACKAGE" "$(stat -c '%a %U %G' $CONFIGS)"
    is "credentials" "700 root root" "$(stat -c '%a %U %G' $CONFIGS/credentials)"
    is "what is in it" credentials "$(ls $CONFIGS)"
}

the_example_is_a_config_that_the_service_can_read() {
    write_config config plain 2080
    write_config a a 2081
    write_config b b 80
    mkdir -m 700 $CONFIGS/credentials/{a,b}
    local instance
    for instance in . a b; do
        (umask 077 && echo wJalrXUtnFEMIEXAMPLEKEY >"$CONFIGS/credentials/$instance/secret_access_key")
    done
    local told
    told=$(CREDENTIALS_DIRECTORY=$CONFIGS/credentials $PACKAGE check --offline 2>&1) ||
        fail "check: $told"
    is "it" "640 root $PACKAGE" "$(stat -c '%a %U %G' $CONFIGS/config.toml)"
}

prepare_boot() {
    systemctl --quiet enable $PACKAGE $PACKAGE@a $PACKAGE@b
    # Waits in vain for two minutes: there is no network.
    systemctl --quiet enable systemd-networkd systemd-networkd-wait-online
    mkdir -p "$UNITS/waiter.service.d"
    printf '%s\n' '[Unit]' 'Wants=network-online.target' 'After=network-online.target' \
        '[Service]' 'ExecStart=/bin/true' '[Install]' 'WantedBy=multi-user.target' \
        >"$UNITS/waiter.service"
    systemctl --quiet enable waiter
    # What takes half a minute in the field.
    drop_in $PACKAGE.service quick RestartSec=100ms
    drop_in $PACKAGE@.service quick RestartSec=100ms
    # A static program cannot be told another time. This one is of the same source.
    if "$EXCHANGE/dynamic" --version >/dev/null 2>&1; then
        write_config clock clock
        mkdir -m 700 $CONFIGS/credentials/clock
        cp $CONFIGS/credentials{,/clock}/secret_access_key
        drop_in $PACKAGE@clock.service clock "ExecStart=
ExecStart=$EXCHANGE/dynamic run --config $CONFIGS/%i.toml
Environment=LD_PRELOAD=$FAKETIME 'FAKETIME=$DEVICE_WITHOUT_CLOCK'
Environment=FAKETIME_DONT_FAKE_MONOTONIC=1"
        systemctl --quiet enable $PACKAGE@clock
    fi
    printf '%s\n' '[Service]' "ExecStart=$EXCHANGE/inside.sh booted" \
        'ExecStopPost=systemctl poweroff --force' \
        '[Install]' 'WantedBy=multi-user.target' >"$UNITS/checks.service"
    systemctl --quiet enable checks
}

# --- once it has booted

it_starts_at_boot_without_network() {
    waits_for runs $PACKAGE
    waits_for runs $PACKAGE@a
    is "the network" inactive "$(of network-online.target ActiveState)"
    is "who waits for it" activating "$(of systemd-networkd-wait-online ActiveState)"
    is "restarts" 0 "$(of $PACKAGE NRestarts)"
}

it_starts_at_boot_with_a_clock_of_years_ago() {
    [ -e $CONFIGS/clock.toml ] || skip "a program built here does not run with Debian 12's libraries"
    waits_for runs $PACKAGE@clock
    is "restarts" 0 "$(of $PACKAGE@clock NRestarts)"
    waits_for is_online clock
    waits_for eval "mosquitto_sub -t mediapackage/clock/agent -C 1 -W 2 | grep -q 2001-01-01T"
    has "$(journalctl -q -u $PACKAGE@clock)" "set the clock"
    quietly systemctl stop $PACKAGE@clock
}

nothing_waits_for_the_clock_to_be_set() {
    local unit
    for unit in $PACKAGE $PACKAGE@a; do
        is "what $unit waits for" "" \
            "$(systemctl list-dependencies --after --plain "$unit" | grep -E 'time-s|network-online')"
    done
}

two_instances_run_side_by_side() {
    local instance
    for instance in a b; do
        waits_for runs $PACKAGE@$instance
        waits_for is_online $instance
        is "the user of $instance" $PACKAGE \
            "$(stat -c %U "/proc/$(of $PACKAGE@$instance MainPID)")"
    done
    waits_for is_online plain
    is "the states" "a b plain" "$(ls -x -w 80 $STATE | tr -s ' ' | sed 's/ clock//')"
    is "the state folder" "700 $PACKAGE" "$(stat -c '%a %U' $STATE)"
    quietly systemctl stop $PACKAGE@b
    waits_for is_offline b
    runs $PACKAGE@a && is_online a || fail "stopping b has stopped a"
    quietly systemctl start $PACKAGE@b
    waits_for is_online b
}

the_local_page_is_served_from_within_the_sandbox() {
    waits_for page_answers 2080 / '<title>MediaPackage</title>'
    waits_for page_answers 2080 /api/state '"mediapackage/plain/status":"online"'
    waits_for page_answers 2081 /api/state '"mediapackage/a/status":"online"'
    waits_for page_answers 2080 /metrics mediapackage_agent_resident_memory_bytes
    # The network is not there.
    waits_for page_answers 2080 /healthz 'mediapackage: no success yet'
    # The port of b is for root alone: b runs all the same, and says it.
    runs $PACKAGE@b || fail "b does not run"
    has "$(journalctl -q -o cat -u $PACKAGE@b)" "no page: cannot listen on 127.0.0.1:80: "
}

it_starts_again_after_kill_9() {
    local pid
    pid=$(pid_of $PACKAGE) || fail "$pid"
    kill -9 "$pid"
    waits_for runs_anew $PACKAGE "$pid"
    is "restarts" 1 "$(of $PACKAGE NRestarts)"
    waits_for is_online plain
}

is_fed_after() {
    [ "$(of "$1" WatchdogTimestampMonotonic)" -gt "$2" ]
}

the_watchdog_ends_what_hangs() {
    local pid fed
    # Two minutes in the field.
    drop_in $PACKAGE@a.service watchdog WatchdogSec=4s
    systemctl daemon-reload
    quietly systemctl restart $PACKAGE@a
    fed=$(of $PACKAGE@a WatchdogTimestampMonotonic)
    waits_for is_fed_after $PACKAGE@a "$fed"
    pid=$(pid_of $PACKAGE@a) || fail "$pid"
    kill -STOP "$pid"
    waits_for runs_anew $PACKAGE@a "$pid"
    has "$(journalctl -q -u $PACKAGE@a)" "Watchdog timeout"
    waits_for is_online a
    rm $UNITS/$PACKAGE@a.service.d/watchdog.conf
    systemctl daemon-reload
    quietly systemctl restart $PACKAGE@a
}

it_stops_within_five_seconds() {
    local begun ended
    begun=$(date +%s%3N)
    quietly systemctl stop $PACKAGE
    ended=$(date +%s%3N)
    [ $((ended - begun)) -lt $STOP_LIMIT_MS ] || fail "it took $((ended - begun)) ms"
    is "how it ended" "success 0" "$(of $PACKAGE Result) $(of $PACKAGE ExecMainStatus)"
    is_offline plain || fail "its status is $(status_of plain)"
    quietly systemctl start $PACKAGE
}

a_faulty_config_is_told_and_not_tried_again() {
    printf 'regoin = "eu-central-1"\n' >$CONFIGS/faulty.toml
    systemctl start $PACKAGE@faulty 2>/dev/null
    waits_for eval "[ \$(of $PACKAGE@faulty ActiveState) = failed ]"
    is "its end" 2 "$(of $PACKAGE@faulty ExecMainStatus)"
    is "restarts" 0 "$(of $PACKAGE@faulty NRestarts)"
    has "$(journalctl -q -o cat -u $PACKAGE@faulty)" regoin
    systemctl reset-failed $PACKAGE@faulty
    rm $CONFIGS/faulty.toml
}

an_upgrade_restarts_what_ran_and_keeps_the_configs() {
    local plain a configs
    quietly systemctl stop $PACKAGE@b
    waits_for runs $PACKAGE
    plain=$(of $PACKAGE MainPID)
    a=$(of $PACKAGE@a MainPID)
    configs=$(sha256sum $CONFIGS/*.toml)
    install_package newer.deb
    is "the version" "$(cat $EXCHANGE/newer)" "$(dpkg-query -W -f '${Version}' $PACKAGE)"
    runs_anew $PACKAGE "$plain" || fail "the service was not restarted"
    runs_anew $PACKAGE@a "$a" || fail "instance a was not restarted"
    is_down $PACKAGE@b || fail "instance b was started"
    # The newer unit sets it.
    tr '\0' '\n' <"/proc/$(of $PACKAGE MainPID)/environ" | grep -q '^NEWER=yes$' ||
        fail "the unit was not read again"
    is "the configs" "$configs" "$(sha256sum $CONFIGS/*.toml)"
    is "b" enabled "$(systemctl is-enabled $PACKAGE@b.service)"
    waits_for is_online plain
}

an_upgrade_goes_through_when_an_agent_cannot_start_again() {
    sed -i 's/^region = .*/regoin = "x"/' $CONFIGS/a.toml
    install_package newer.deb
    is "a" failed "$(of $PACKAGE@a ActiveState)"
    runs $PACKAGE || fail "the other one went with it"
    sed -i 's/^regoin = .*/region = "eu-central-1"/' $CONFIGS/a.toml
    quietly systemctl start $PACKAGE@a
}

removal_stops_all_and_keeps_configs_and_state() {
    local configs
    configs=$(find $CONFIGS $STATE | sort)
    quietly dpkg --remove $PACKAGE
    is "what runs" "" "$(pidof $PACKAGE)"
    is_offline plain && is_offline a || fail "not published as offline"
    is "configs and state" "$configs" "$(find $CONFIGS $STATE | sort)"
    is "the unit" not-found "$(of $PACKAGE LoadState)"
    [ ! -e /usr/bin/$PACKAGE ] || fail "the program is still there"
}

installed_again_it_goes_on_as_before() {
    install_package amd64.deb
    is "the service" enabled "$(systemctl is-enabled $PACKAGE.service)"
    quietly systemctl start $PACKAGE $PACKAGE@a
    waits_for is_online plain
    waits_for is_online a
}

purge_leaves_nothing() {
    rm -r $UNITS/$PACKAGE*.d
    quietly dpkg --purge $PACKAGE
    is "what runs" "" "$(pidof $PACKAGE)"
    is "what is left" "" "$(find /etc /usr /var/lib -xdev -not -path '/usr/local/*' \
        -name "*$PACKAGE*" | sort)"
    is "what systemd knows" "" "$(systemctl --plain --no-legend list-unit-files "$PACKAGE*")"
}

a_fresh_installation_runs_after_the_commands_it_tells() {
    local told
    told=$(dpkg --install "$EXCHANGE/amd64.deb" 2>&1) || fail "dpkg: $told"
    is "the service" "inactive disabled" \
        "$(of $PACKAGE ActiveState) $(systemctl is-enabled $PACKAGE.service)"
    local commands
    commands=$(sed -n 's/^ *sudo //p' <<<"$told" | sed 's/ && sudo nano.*//')
    is "commands" 2 "$(wc -l <<<"$commands")"
    eval "$commands" || fail "$commands"
    waits_for runs $PACKAGE
    waits_for is_online eu-central-1
    quietly dpkg --purge $PACKAGE
}

# The lines of the README, in a folder as it stands there.
by_hand_it_takes_the_commands_of_the_readme() {
    local commands
    commands=$(sed -n '/^### By hand/,/^### Upgrade/p' "$EXCHANGE/source/README.md" |
        sed -n 's/^sudo //p')
    is "the number of commands" 8 "$(wc -l <<<"$commands")"
    cd "$EXCHANGE/source" || exit 1
    (set -e && eval "$commands") || fail "$commands"
    quietly systemctl enable --now $PACKAGE
    waits_for is_online eu-central-1
    is "the folder" "750 root $PACKAGE" "$(stat -c '%a %U %G' $CONFIGS)"
    quietly systemctl disable --now $PACKAGE
    rm -r $CONFIGS $UNITS/$PACKAGE* /usr/bin/$PACKAGE
    systemctl daemon-reload
}

package_of() {
    local qemu=$EXCHANGE/$2
    dpkg --add-architecture "$1"
    install_package "$1.deb"
    is "its state" "ii $1" "$(dpkg-query -W -f '${db:Status-Abbrev}${Architecture}' $PACKAGE)"
    if [ -x "$qemu" ]; then
        has "$("$qemu" /usr/bin/$PACKAGE --version)" "$PACKAGE "
    fi
    quietly dpkg --purge "$PACKAGE"
    [ -x "$qemu" ] || skip "installed, but not run: no $2 here"
}

the_package_for_arm64_installs_and_its_program_runs() {
    package_of arm64 qemu-aarch64-static
}

the_package_for_armhf_installs_and_its_program_runs() {
    package_of armhf qemu-arm-static
}

case ${1:-} in
image)
    check an_image_is_made_without_starting_anything
    check its_user_can_do_nothing_else
    check configs_are_for_root_and_the_service_alone
    check the_example_is_a_config_that_the_service_can_read
    prepare_boot
    ;;
booted)
    check it_starts_at_boot_without_network
    check it_starts_at_boot_with_a_clock_of_years_ago
    check nothing_waits_for_the_clock_to_be_set
    check two_instances_run_side_by_side
    check the_local_page_is_served_from_within_the_sandbox
    check it_starts_again_after_kill_9
    check the_watchdog_ends_what_hangs
    check it_stops_within_five_seconds
    check a_faulty_config_is_told_and_not_tried_again
    check an_upgrade_restarts_what_ran_and_keeps_the_configs
    check an_upgrade_goes_through_when_an_agent_cannot_start_again
    check removal_stops_all_and_keeps_configs_and_state
    check installed_again_it_goes_on_as_before
    check purge_leaves_nothing
    check a_fresh_installation_runs_after_the_commands_it_tells
    check by_hand_it_takes_the_commands_of_the_readme
    check the_package_for_arm64_installs_and_its_program_runs
    check the_package_for_armhf_installs_and_its_program_runs
    ;;
*)
    echo "usage: inside.sh image|booted" >&2
    exit 2
    ;;
esac
