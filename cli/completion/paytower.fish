# fish completion for paytower(1).
#
# Commands, options and what they take are read from the program's own --help, so they are those of the program that is
# installed. Payment hashes come from `paytower list`, which makes no database. Both are bounded in time, and silent.

function __paytower_help
    timeout 2 $argv --help </dev/null 2>/dev/null
end

# Lines "NAME LETTER VALUE" of a help text's options; LETTER and VALUE are - where there is none.
function __paytower_options
    sed -nE 's/^  (-(.), |    )--([a-z][a-z0-9-]*)( ([^ ]+))?.*$/\3 \2- \5-/p' | sed -E 's/ (.)-( |$)/ \1\2/; s/ ([^ ]+)-$/ \1/'
end

function __paytower_commands
    sed -nE '/^Commands:/,/^$/s/^  ([a-z]+( [a-z]+)?)  +(.*)$/\1\t\3/p'
end

# The newest payments: hash and status. The last argument may be `open`.
function __paytower_hashes
    timeout 2 $argv </dev/null 2>/dev/null | cut -f 2,3
end

# The kinds of switch: what stands before a colon and a placeholder, "sim:PATH".
function __paytower_kinds
    grep -oE '\b[a-z]+:[A-Z]' | sed 's/.$//' | sort -u
end

# What an option takes: its name, its placeholder in --help, what is typed so far, the command, the kinds of switch.
function __paytower_value -a name value current command
    switch $name
        case color
            printf '%s\n' auto always never
            return
        case status
            printf '%s\n' open initiated in_flight succeeded failed unknown
            return
        case format
            switch $command
                case list
                    printf '%s\n' table tsv csv ndjson
                case stats
                    printf '%s\n' table json prom
            end
            return
        case switch
            switch $current
                case '*:*'
                    set -l typed (string split -m 1 : -- $current)
                    for file in (__fish_complete_path $typed[2] | string replace -r '\t.*' '')
                        echo $typed[1]:$file
                    end
                case '*'
                    printf '%s\n' $argv[5..]
            end
            return
    end
    switch $value
        case '*PATH*' '*FILE*' '*CHANNEL_DB*'
            __fish_complete_path $current
    end
    for word in none forever any
        string match -q "*|$word|*" "|$value|"; and echo $word
    end
end

function __paytower_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l program $before[1]
    set -e before[1]

    set -l general (__paytower_help $program)
    set -q general[1]; or return
    set -l options (printf '%s\n' $general | __paytower_options)
    set -l commands (printf '%s\n' $general | __paytower_commands)
    set -l kinds (printf '%s\n' $general | __paytower_kinds)
    set -l globals
    set -l command
    set -l takes
    set -l after
    set -l positional 0
    for word in $before
        if test -n "$takes"
            contains -- $takes db config; and set -a globals --$takes $word
            set takes
            continue
        end
        switch $word
            case --
                set after yes
            case '--db=*' '--config=*'
                set -a globals $word
            case '--*=*'
            case '-*'
                for option in $options
                    set -l part (string split ' ' -- $option)
                    if test "$word" = "--$part[1]" -o "$word" = "-$part[2]"
                        test $part[3] != -; and set takes $part[1]
                    end
                end
            case '*'
                if test -z "$command" -o "$command" = simulate
                    set command (string trim "$command $word")
                    test $command = ls; and set command list
                    if test "$command" != simulate
                        set -a options (__paytower_help $program (string split ' ' -- $command) | sed '1,/^Options:/d' | __paytower_options)
                    end
                else
                    set positional (math $positional + 1)
                end
        end
    end

    if test -n "$takes"
        for option in $options
            set -l part (string split ' ' -- $option)
            test $part[1] = $takes; or continue
            __paytower_value $part[1] $part[3] "$current" "$command" $kinds
            return
        end
    else if string match -q -- '--*=*' "$current"; and test -z "$after"
        set -l typed (string split -m 1 = -- $current)
        for option in $options
            set -l part (string split ' ' -- $option)
            test "--$part[1]" = $typed[1] -a $part[3] != -; or continue
            for one in (__paytower_value $part[1] $part[3] "$typed[2]" "$command" $kinds | string replace -r '\t.*' '')
                echo $typed[1]=$one
            end
            return
        end
    else if string match -q -- '-*' "$current"; and test -z "$after"
        for option in $options
            echo --(string split ' ' -- $option)[1]
        end
    else if test -z "$command"
        printf '%s\n' $commands | string match -v 'simulate *'
        printf '%s\t%s\n' simulate 'A simulated network' help 'Show help of a command'
    else if test "$command" = simulate
        printf '%s\n' $commands | string replace -rf '^simulate ' ''
    else if test "$command" = help
        test $positional = 0; and printf '%s\n' $commands simulate | string replace -r '[ \t].*' '' | sort -u
    else
        switch $command
            case resume cancel resolve
                __paytower_hashes $program $globals list --no-input --format tsv --max-payments 100 --status open
            case label
                test $positional = 0; and __paytower_hashes $program $globals list --no-input --format tsv --max-payments 100
            case show delete list
                __paytower_hashes $program $globals list --no-input --format tsv --max-payments 100
            case backup
                __fish_complete_path $current
        end
    end
end

complete -c paytower -f -a '(__paytower_complete)'
