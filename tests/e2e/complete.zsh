# Runs zsh's completion for the line $2, with the functions of the folder $1, in a pseudo terminal; prints what it offers.
zmodload zsh/zpty
export TERM=dumb
zpty shell "zsh -f -i"
zpty -w shell 'PROMPT=; fpath=('${(q)1}' $fpath); autoload -Uz compinit; compinit -D -u
show() {
  local -a offered
  compadd() {
    local -a hits
    [[ ${@[1,(i)(-|--)]} == *-(O|A|D)* ]] || { builtin compadd -O hits "$@"; offered+=($hits) }
    builtin compadd "$@"
  }
  _main_complete
  print -r -- "<<${(j: :)offered}>>"
  exit
}
zle -C show complete-word show; bindkey "^I" show; print REA""DY'
zpty -r shell heard '*READY*'
zpty -w -n shell "$2"$'\t'
zpty -r shell heard '*<<*>>*'
zpty -d shell
heard=${heard##*<<}
print -r -- ${heard%%>>*}
