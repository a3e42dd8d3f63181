# Asks the chosen interpreter about itself, because names guessed from a version go wrong: the first python3 on
# PATH may be a pyenv shim (a shell script), and two installations may share X.Y.  In: Python3_EXECUTABLE.
# Out: Python3_EXECUTABLE (never a shim) and the variables PY_* below.
set(_ask [=[
import os, sys, sysconfig
def var(name):
    return str(sysconfig.get_config_var(name) or "")
def greenlet():
    import importlib.machinery
    spec = importlib.machinery.PathFinder.find_spec("greenlet")
    places = list(spec.submodule_search_locations) if spec else []
    places.append(os.path.join(sysconfig.get_path("include"), "greenlet"))  # Debian's python3-greenlet-dev
    return next((p for p in places if os.path.exists(os.path.join(p, "greenlet.h"))), "")
base = sys._base_executable
lib = sysconfig.get_config_var("LIBPL") or ""
print("EXECUTABLE", sys.executable)
print("FREE_THREADED", int(bool(sysconfig.get_config_var("Py_GIL_DISABLED"))))
print("VERSION", ".".join(map(str, sys.version_info[:3])))
print("XY", ".".join(map(str, sys.version_info[:2])))
print("BASE_EXECUTABLE", os.path.realpath(base))
print("BASE_BIN", os.path.dirname(os.path.abspath(base)))
print("BASE_PREFIX", sys.base_prefix)
print("STDLIB", os.path.dirname(os.path.abspath(os.__file__)))
print("VENV", sys.prefix if sys.prefix != sys.base_prefix else "")
print("INCLUDE", sysconfig.get_path("include"))
print("GREENLET_INCLUDE", greenlet())
print("STATIC", os.path.join(lib, var("LIBRARY")))
# A second, position independent archive beside it says that the first one is made for programs (Debian).
print("STATIC_IS_FOR_PROGRAMS", int(os.path.exists(os.path.join(lib, var("LIBRARY")[:-2] + "-pic.a"))
                                    or not sysconfig.get_config_var("Py_ENABLE_SHARED")))
print("SHARED", os.path.join(var("LIBDIR"), var("LDLIBRARY")))
print("LINK", " ".join(" ".join(map(var, ("LIBS", "SYSLIBS", "MODLIBS"))).split()))
]=])
execute_process(
    COMMAND "${Python3_EXECUTABLE}" -c "${_ask}"
    OUTPUT_VARIABLE _answer
    ERROR_VARIABLE _error
    RESULT_VARIABLE _failed)
if(_failed)
    message(FATAL_ERROR "The interpreter ${Python3_EXECUTABLE} does not run: ${_error}")
endif()
string(REGEX REPLACE "\n$" "" _answer "${_answer}")
string(REPLACE "\n" ";" _answer "${_answer}")
foreach(_line IN LISTS _answer)
    if(_line MATCHES "^([A-Z_]+) (.*)$")
        set(PY_${CMAKE_MATCH_1} "${CMAKE_MATCH_2}")
    endif()
endforeach()
set(Python3_EXECUTABLE "${PY_EXECUTABLE}")
if(PY_VERSION VERSION_LESS 3.11)
    message(FATAL_ERROR "${PY_EXECUTABLE} is CPython ${PY_VERSION}; chanlab needs 3.11 or newer: choose one with "
                        "-DPython3_EXECUTABLE=/path/to/python3")
endif()
if(PY_FREE_THREADED)
    message(FATAL_ERROR "${PY_EXECUTABLE} is a free-threaded CPython ${PY_VERSION}, which chanlab does not support: choose "
                        "one with the GIL with -DPython3_EXECUTABLE=/path/to/python3")
endif()
if(NOT EXISTS "${PY_INCLUDE}/Python.h")
    message(FATAL_ERROR "CPython ${PY_VERSION} in ${PY_BASE_PREFIX} has no Python.h (looked in ${PY_INCLUDE}): install "
                        "its development files (Debian: python${PY_XY}-dev)")
endif()
