/* Lua, an interpreter: lua.lua's work. Errors end the program, as programs.sh compiles it: wasi-libc has no setjmp. */
#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"
#include "programs.h"

static const char script[] = {
#include "lua_script.h"
    , 0};

int main(int argc, char **argv)
{
    static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},
                                         {LUA_TABLIBNAME, luaopen_table},
                                         {LUA_STRLIBNAME, luaopen_string},
                                         {LUA_MATHLIBNAME, luaopen_math}};
    int n = program_count(argc, argv);
    const char *result;
    size_t len;
    lua_State *L = luaL_newstate();

    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
        luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
        lua_pop(L, 1);
    }
    if (luaL_loadstring(L, script) != LUA_OK)
        program_fail(lua_tostring(L, -1));
    lua_pushinteger(L, n);
    lua_call(L, 1, 1);
    result = lua_tolstring(L, -1, &len);
    if (result == NULL)
        program_fail("the script gave no text");
    return program_end("lua", n, program_sum(2166136261u, result, len));
}
