--- `:checkhealth parrotlet`: what is there, what is missing, what to do.
local M = {}

local function check_neovim()
  if vim.fn.has('nvim-0.11') == 1 then
    vim.health.ok('Neovim ' .. tostring(vim.version()))
    return true
  end
  vim.health.error('this Neovim is too old', { 'Install Neovim 0.11 or newer.' })
  return false
end

---@return parrotlet.Options?
local function check_options()
  local options = require('parrotlet.config').options
  if options then
    vim.health.ok('options: ' .. vim.inspect(options))
  else
    vim.health.error('setup() has not run or was given wrong options', { 'See :messages.' })
  end
  return options
end

---@param options parrotlet.Options
local function check_server(options)
  local server = require('parrotlet.server')
  local command, complaint = server.find(options.server)
  if not command then
    vim.health.error(assert(complaint))
    return
  end
  local arguments = vim.list_extend(vim.list_slice(command), { '--version' })
  local is_run, result = pcall(function()
    return vim.system(arguments, { text = true, timeout = 20000 }):wait()
  end)
  if not is_run or result.code ~= 0 then
    local said = is_run and vim.trim(result.stderr or '') or tostring(result)
    vim.health.error(('%s does not start: %s'):format(table.concat(command, ' '), said))
    return
  end
  local version = vim.trim(result.stdout)
  vim.health.ok(('server %s, version %s'):format(table.concat(command, ' '), version))
end

--- Tells what the running server says of itself.
---@param client vim.lsp.Client
local function check_running(client)
  local params = { command = 'parrotlet.health' }
  local answer = client:request_sync('workspace/executeCommand', params, 5000)
  local facts = answer and answer.result
  if type(facts) ~= 'table' then
    vim.health.warn('the server runs and does not answer', { ':Parrotlet restart' })
    return
  end
  local buffers = vim.tbl_count(client.attached_buffers)
  vim.health.ok(('the server is running for %d file(s)'):format(buffers))
  for name, fact in vim.spairs(facts) do
    if fact ~= vim.NIL then
      vim.health.info(('%s: %s'):format(name, type(fact) == 'table' and vim.inspect(fact) or fact))
    end
  end
end

local function check_client()
  local client = require('parrotlet.client').get()
  if client then
    check_running(client)
  else
    vim.health.info('no server is running: it starts with the first file to complete')
  end
  vim.health.info('status: ' .. require('parrotlet.status').sentence())
  vim.health.info('log: ' .. require('parrotlet.log').path())
end

--- Tells which menus of completion are watched.
local function check_menus()
  local found = vim.tbl_filter(function(name)
    return package.loaded[name] ~= nil
  end, { 'cmp', 'blink.cmp' })
  local list = table.concat(vim.list_extend({ "Neovim's own" }, found), ', ')
  vim.health.info('menus whose selected item suggestions go on from: ' .. list)
end

function M.check()
  vim.health.start('parrotlet')
  if not check_neovim() then
    return
  end
  local options = check_options()
  if options then
    check_server(options)
    check_client()
    check_menus()
  end
end

return M
