-- The plugin runs in Neovim's LuaJIT, whose one global beyond Lua's own is `vim`.
std = 'luajit'
globals = { 'vim' }
max_line_length = 100
