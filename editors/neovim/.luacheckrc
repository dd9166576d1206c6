-- Lua as Neovim runs it: LuaJIT, with the global `vim`.
std = 'luajit'
globals = { 'vim' }
max_line_length = 120
max_cyclomatic_complexity = 20
self = false
