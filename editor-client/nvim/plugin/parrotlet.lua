-- Defines the command and the <Plug> mappings, and starts Parrotlet with its defaults unless the
-- user's configuration calls setup() itself.
if vim.g.loaded_parrotlet then
  return
end
vim.g.loaded_parrotlet = true

if vim.fn.has('nvim-0.11') == 0 then
  vim.notify('Parrotlet: needs Neovim 0.11 or newer', vim.log.levels.ERROR)
  return
end

vim.api.nvim_create_user_command('Parrotlet', function(args)
  require('parrotlet.command').run(args)
end, {
  nargs = '*',
  desc = 'Parrotlet: local code completion',
  complete = function(typed, line)
    return require('parrotlet.command').complete(typed, line)
  end,
})

for _, name in ipairs({
  'accept',
  'accept-word',
  'accept-line',
  'next',
  'previous',
  'dismiss',
  'suggest',
}) do
  vim.keymap.set('i', ('<Plug>(parrotlet-%s)'):format(name), function()
    require('parrotlet')[name:gsub('-', '_')]()
  end, { desc = 'Parrotlet: ' .. name:gsub('-', ' ') })
end

--- Generates the help tags, once, for users without a plugin manager.
local function generate_help_tags()
  local here = debug.getinfo(1, 'S').source:sub(2) -- PLUGIN/plugin/parrotlet.lua
  local doc = vim.fs.joinpath(vim.fs.dirname(vim.fs.dirname(here)), 'doc')
  if not vim.uv.fs_stat(vim.fs.joinpath(doc, 'tags')) then
    pcall(vim.cmd.helptags, vim.fn.fnameescape(doc)) -- the folder may be read-only
  end
end

-- Later, so that a setup() directly after the plugin is loaded takes precedence.
vim.schedule(function()
  generate_help_tags()
  local parrotlet = require('parrotlet')
  if not parrotlet.is_set_up then
    parrotlet.setup()
  end
end)
