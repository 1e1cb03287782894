-- Starts Parrotlet with its defaults unless the user's configuration has called setup() itself.
if vim.g.loaded_parrotlet then
  return
end
vim.g.loaded_parrotlet = true

if vim.fn.has('nvim-0.12') == 0 then
  vim.notify(
    'parrotlet: this Neovim has no inline completion; install Neovim 0.12 or newer',
    vim.log.levels.ERROR
  )
  return
end

-- Later, so that a setup() which stands right behind the loading of the plugin comes first.
vim.schedule(function()
  local parrotlet = require('parrotlet')
  if not parrotlet.is_set_up then
    parrotlet.setup()
  end
end)
