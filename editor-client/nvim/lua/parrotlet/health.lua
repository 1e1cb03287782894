--- `:checkhealth parrotlet`: what is there, what is missing, what to do.
local M = {}

local function check_neovim()
  if vim.fn.has('nvim-0.12') == 1 then
    vim.health.ok('Neovim ' .. tostring(vim.version()))
    return true
  end
  vim.health.error('this Neovim has no inline completion', { 'Install Neovim 0.12 or newer.' })
  return false
end

local function check_options()
  local options = require('parrotlet').options
  if options then
    vim.health.ok('options: ' .. vim.inspect(options))
  else
    vim.health.error('setup() has not run or was given wrong options', { 'See :messages.' })
  end
  return options
end

local function check_server(options)
  local command, complaint = require('parrotlet.server').find(options.cmd)
  if not command then
    vim.health.error(assert(complaint))
    return
  end
  local started, result = pcall(function()
    return vim.system({ command[1], '--version' }, { text = true, timeout = 10000 }):wait()
  end)
  if not started or result.code ~= 0 then
    local said = started and vim.trim(result.stderr or '') or tostring(result)
    vim.health.error(command[1] .. ' does not start: ' .. said)
    return
  end
  vim.health.ok(('server %s, version %s'):format(command[1], vim.trim(result.stdout)))
end

local function check_clients()
  local clients = vim.lsp.get_clients({ name = 'parrotlet' })
  if #clients == 0 then
    vim.health.info('no server is running: it starts with the first file of its filetypes')
  end
  for _, client in ipairs(clients) do
    local buffers = vim.tbl_count(client.attached_buffers)
    vim.health.ok(('the server is running for %d buffer(s)'):format(buffers))
  end
end

function M.check()
  vim.health.start('parrotlet')
  if not check_neovim() then
    return
  end
  local options = check_options()
  if options then
    check_server(options)
    check_clients()
  end
end

return M
