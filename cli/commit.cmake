# Writes the source file that names the commit: run at each build, and changes it only when the commit has changed.
cmake_minimum_required(VERSION 3.25)
set(commit "")
find_program(git git)
if(git)
  execute_process(COMMAND ${git} -C ${SOURCE} describe --always --dirty=+changes --abbrev=12 --exclude=*
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
file(CONFIGURE OUTPUT ${FILE} CONTENT "namespace paytower::cli {
extern const char* const built_commit;
const char* const built_commit = \"@commit@\";
}
" @ONLY)
