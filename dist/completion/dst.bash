# bash completion for dst(8)

_dst_names() {	# [export|device]
	dst show --names 2>/dev/null | sed -n "s/^${1:-[a-z]*} //p"
}

_dst() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
	local commands
	commands=$(dst --help 2>/dev/null | sed -n 's/^  dst \([a-z]*\) .*/\1/p')

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$commands help --help --version" -- "$cur")
		return
	fi
	case $prev in
	--key) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	--retries | --wait) mapfile -t COMPREPLY < <(compgen -W forever -- "$cur"); return ;;
	--allow) mapfile -t COMPREPLY < <(compgen -W "any from= key= ro" -- "$cur"); return ;;
	--why | --device) mapfile -t COMPREPLY < <(compgen -W "$(_dst_names device)" -- "$cur"); return ;;
	--export) mapfile -t COMPREPLY < <(compgen -W "$(_dst_names export)" -- "$cur"); return ;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(dst help "$command" 2>/dev/null |
			grep -o -- '--[a-z][a-z-]*' | sort -u)" -- "$cur")
		return
	fi
	case $command in
	help) mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur") ;;
	detach) mapfile -t COMPREPLY < <(compgen -W "$(_dst_names device)" -- "$cur") ;;
	unexport) mapfile -t COMPREPLY < <(compgen -W "$(_dst_names export)" -- "$cur") ;;
	show) mapfile -t COMPREPLY < <(compgen -W "$(_dst_names)" -- "$cur") ;;
	set)
		if [ "$COMP_CWORD" = 2 ]; then
			mapfile -t COMPREPLY < <(compgen -W "$(_dst_names)" -- "$cur")
		else
			compopt -o nospace
			mapfile -t COMPREPLY < <(compgen -W "$(dst help set 2>/dev/null |
				sed -n 's/^  \([a-z-]*=\).*/\1/p' | sort -u)" -- "$cur")
		fi
		;;
	attach | list | ping) compopt -o nospace; mapfile -t COMPREPLY < <(compgen -W dst:// -- "$cur") ;;
	export) [ "$COMP_CWORD" = 2 ] || mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	up | down | save) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	esac
}

complete -F _dst dst
