import { usage } from '../parse.ts';

/** Each script hands the words typed so far to `mullion __complete`, which reads the table of commands. */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# bash completion for mullion
_mullion() {
  local IFS=$'\\n'
  local current="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  local line
  while IFS= read -r line; do
    if [ "$line" = :file ]; then
      compopt -o filenames 2>/dev/null
      COMPREPLY+=($(compgen -f -- "$current"))
    elif [ -n "$line" ]; then
      COMPREPLY+=("\${line%%$'\\t'*}")
    fi
  done < <("\${COMP_WORDS[0]}" __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _mullion mullion`,
  zsh: `#compdef mullion
_mullion() {
  local -a names
  local line
  while IFS= read -r line; do
    if [[ "$line" == :file ]]; then
      _files
    elif [[ -n "$line" ]]; then
      names+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
    fi
  done < <("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( \${#names} )) && _describe 'mullion' names
}
compdef _mullion mullion`,
  fish: `# fish completion for mullion
function __mullion_complete
  set -l words (commandline -opc) (commandline -ct)
  for line in ($words[1] __complete $words[2..-1] 2>/dev/null)
    if test "$line" = :file
      __fish_complete_path (commandline -ct)
    else
      echo $line
    end
  end
end
complete -c mullion -f -a '(__mullion_complete)'`,
};

/** @throws MullionError `invalid_request` for another shell */
export function renderCompletion(shell: string): string {
  const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
  if (script === undefined) {
    throw usage(
      'completion',
      `There is no completion for "${shell}", only for ${Object.keys(SCRIPTS).join(', ')}.`,
    );
  }
  return script;
}
